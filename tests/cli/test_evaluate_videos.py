"""``run.py evaluate proposals`` and ``actions`` as a user calls them: a real sample, what is said, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from tests.support.slow_temporal_scores import average_precision, average_recall

TRUTH = {
    "database": {
        "a": {"subset": "validation", "annotations": [{"segment": [0, 10], "label": "jump"}]},
        "b": {"subset": "validation", "annotations": [{"segment": [5, 8], "label": "run"}]},
        "c": {"subset": "training", "annotations": [{"segment": [5, 8], "label": "run"}]},
        "d": {"subset": "testing", "annotations": []},
    }
}
PREDICTED = {"results": {"a": [{"score": 0.9, "segment": [0, 9], "label": "jump"}], "c": [
    {"score": 0.8, "segment": [5, 8], "label": "run"}, {"score": 0.8, "segment": [5, 8], "label": "swim"}
]}}  # fmt: skip


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    (tmp_path / "predicted.json").write_text(json.dumps(PREDICTED))
    return ["--predictions", str(tmp_path / "predicted.json"), "--annotations", str(tmp_path / "truth.json")]


def test_the_real_sample(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "temporal" / "mmaction2_samples"
    files = ["--predictions", str(folder / "result.json"), "--annotations", str(folder / "gt.json")]
    truth = json.loads((folder / "gt.json").read_text())
    actions = [(name, a["segment"], a["label"]) for name, video in truth.items() for a in video["annotations"]]
    results = json.loads((folder / "result.json").read_text())["results"]
    found = [("v_" + name, p["segment"], p["label"], p["score"]) for name, ps in results.items() for p in ps]

    assert main(["evaluate", "proposals", *files, "--out", str(tmp_path / "proposals")]) == 0
    assert main(["evaluate", "actions", *files, "--out", str(tmp_path / "actions")]) == 0
    said = capsys.readouterr().out
    assert "v_ was added before the videos' names of the predictions" in said

    thresholds = np.linspace(0.5, 0.95, 10).tolist()
    proposals = [(video, segment, score) for video, segment, _, score in found]
    recall, auc = average_recall([action[:2] for action in actions], proposals, thresholds, 100)
    scores = json.loads((tmp_path / "proposals" / "scores.json").read_text())
    assert scores["auc"] == pytest.approx(auc, abs=1e-9)
    assert scores["average_recall_at"]["5"] == pytest.approx(np.mean(recall, axis=0)[4], abs=1e-9)
    assert f"AUC {100 * auc:.2f}" in said
    assert (tmp_path / "proposals" / "recall.png").read_bytes().startswith(b"\x89PNG")

    scores = json.loads((tmp_path / "actions" / "scores.json").read_text())
    expected = [
        np.mean([average_precision(actions, found, label, threshold) for label in ("Wakeboarding", "Cleaning shoes")])
        for threshold in thresholds
    ]
    assert scores["map"] == pytest.approx(expected, abs=1e-9)
    assert scores["average_map"] == pytest.approx(np.mean(expected), abs=1e-9)


def test_what_is_said_of_proposals(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "proposals", *given, "--subset", "validation"]) == 0
    said = capsys.readouterr().out
    assert "1 annotated videos without predictions: all their actions are missed: b" in said
    assert "1 videos with predictions but no annotated action here: nothing in them can be right: c" in said
    assert "2 actions in 2 videos, 3 proposals, 1 of them at AN 100" in said
    rows = {line[:9].strip(): line[9:].split() for line in said.splitlines()}
    assert rows["tIoU 0.90"][-1] == "50.0"  # [0, 9] and [0, 10]
    assert rows["tIoU 0.95"][-1] == "0.0"


def test_what_is_said_of_actions(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "actions", *given, "--subset", "validation", "--protocol", "thumos"]) == 0
    said = capsys.readouterr().out
    rows = {line.split("  ")[0].split(" ")[0]: line.split() for line in said.splitlines() if line}
    assert rows["mAP"] == ["mAP", "2", "2", *["50.0"] * 6]
    assert rows["jump"] == ["jump", "1", "1", *["100.0"] * 6]
    assert rows["run"] == ["run", "1", "1", *["0.0"] * 6]
    assert "1 predictions of classes without an annotated action: swim" in said


def test_simulated_actions_are_annotations(tmp_path: Path, given: list[str]) -> None:
    content = {"version": "rangecast-1", "taxonomy": [], "database": {"a": {
        "duration": 6.0, "subset": "simulation", "resolution": "1242x375", "fps": 10.0, "url": "", "all_actions": [],
        "annotations": [{"label": "brakes", "track_id": 4, "segment": [0.5, 2.0], "whole": [0.0, 2.0]}],
    }}}  # fmt: skip
    (tmp_path / "actions.json").write_text(json.dumps(content))
    given[-1] = str(tmp_path / "actions.json")
    assert main(["evaluate", "proposals", *given]) == 0


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("proposals", [], "has the subsets validation, training, testing; choose one of them with --subset"),
        ("proposals", ["--subset", "validaton"], "did you mean 'validation'?"),
        ("actions", ["--subset", "training", "--protocol", "thumoss"], "did you mean 'thumos'?"),
        ("proposals", ["--subset", "training", "--out", "file"], "--out file: cannot be written"),
        ("actions", ["--subset", "training", "--predictions", "truth.json"], "truth.json: has annotations"),
        ("actions", ["--subset", "testing"], "truth.json: no action of subset testing is annotated"),
        ("proposals", ["--subset", "training", "--predictions", "empty.json"], "empty.json: has no predictions"),
        ("proposals", ["--subset", "training", "--predictions", "none.json"], "no such file: none.json"),
    ],
)
def test_a_wrong_argument_is_one_line(
    tmp_path: Path,
    given: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty.json").write_text('{"results": {"c": []}}')
    assert main(["evaluate", verb, *given, *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_an_evaluation_that_fails_writes_nothing(tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "predicted.json").write_text('{"results": {"a": []}}')
    assert main(["evaluate", "proposals", *given, "--subset", "validation", "--out", str(tmp_path / "out")]) == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_chance_is_said_and_saved(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "proposals", *given, "--subset", "validation", "--chance", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "--chance: the annotations do not say how long video 'a' is" in capsys.readouterr().err
    database = {name: {**video, "duration": 200.0} for name, video in TRUTH["database"].items()}
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    assert main(command) == 0
    said = capsys.readouterr().out
    chance = json.loads((tmp_path / "out" / "scores.json").read_text())["by_chance"]
    assert f"by chance {100 * chance['auc']:.2f} ±" in said
    assert 0 <= chance["recall"]["1"] < 0.2
