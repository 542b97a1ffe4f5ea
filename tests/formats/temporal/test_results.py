"""ActivityNet's result JSON: written and read back, the real sample, and each mistake in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import UserError
from formats.temporal.results import Proposals, read_results, write_results


def entry(score: float, segment: Any = (1.0, 2.0), **more: Any) -> dict[str, Any]:
    return {"score": score, "segment": segment, **more}


def written(folder: Path, results: Any) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps({"version": "VERSION 1.3", "results": results, "external_data": {}}))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    given = {
        "a": Proposals(segments_s=np.array([[0.1, 0.25], [1 / 3, 9.0]]), scores=np.array([0.9, 0.1])),
        "b": Proposals(segments_s=np.array([[2.0, 3.0]]), scores=np.array([0.5]), labels=("jump",)),
        "none": Proposals(segments_s=np.empty((0, 2)), scores=np.empty(0)),
    }
    write_results(path, given, external_data="features learnt on Kinetics")
    found = read_results(path)
    assert list(found) == list(given)
    for name, proposals in given.items():
        assert found[name].segments_s.tolist() == proposals.segments_s.tolist()
        assert found[name].scores.tolist() == proposals.scores.tolist()
        assert found[name].labels == proposals.labels
    content = json.loads(path.read_text())
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"] == {"used": True, "details": "features learnt on Kinetics"}
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_best_first_and_equal_scores_in_their_order(tmp_path: Path) -> None:
    found = read_results(
        written(tmp_path, {"a": [entry(1, [0, 1]), entry(3, [0, 2]), entry(1, [0, 3]), entry(3, [0, 4])]})
    )
    assert found["a"].segments_s[:, 1].tolist() == [2, 4, 1, 3]
    assert found["a"].scores.tolist() == [3, 3, 1, 1]


def test_the_real_sample(shared_data: Path) -> None:
    found = read_results(shared_data / "temporal" / "mmaction2_samples" / "result.json")
    assert {name: len(video.scores) for name, video in found.items()} == {"bYUmtLBL7W4": 10, "hDPLy21Yyuk": 4}
    assert found["bYUmtLBL7W4"].labels == ("Wakeboarding",) * 10
    assert found["bYUmtLBL7W4"].segments_s[0].tolist() == [0.0, 206.3465619982159]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "'results' is a JSON list"),
        ({"a": {}}, "video 'a' is a JSON dict; give a list"),
        ({"a": [{"segment": [1, 2]}]}, "video 'a', prediction 0 has no 'score'"),
        ({"a": [entry(1), entry(1, [4, 3])]}, "video 'a', prediction 1: ends at 3 s, before it starts at 4 s"),
        ({"a": [entry(1), {**entry(1), "score": None}]}, "video 'a', prediction 1: its score is None"),
        ({"a": [entry(1, label="x"), entry(1)]}, "video 'a': 1 of 2 predictions have a label"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, results: Any, said: str) -> None:
    path = written(tmp_path, results)
    with pytest.raises(UserError) as error:
        read_results(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("{}", "has no 'results'"), ('{"database": {}}', "give it as --annotations"), ("[NaN]", "JSON")],
)
def test_what_is_no_result_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_results(tmp_path / "result.json")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_results(tmp_path / "absent" / "result.json", {})
