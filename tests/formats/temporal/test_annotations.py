"""Annotations in the three layouts, the real files, and each mistake in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import UserError
from formats.temporal.annotations import of_subset, read_annotations


def written(folder: Path, content: Any) -> Path:
    path = folder / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def database(segment: Any, **video: Any) -> dict[str, Any]:
    return {"database": {"a": {"annotations": [{"segment": segment, "label": "jump"}], **video}}}


def test_activitynet(tmp_path: Path) -> None:
    content = database([1.5, 4], subset="validation", duration=10)
    content["database"]["b"] = {"subset": "testing", "duration": 3.5, "annotations": []}
    found = read_annotations(written(tmp_path, content))
    assert list(found) == ["a", "b"]
    assert found["a"].segments_s.tolist() == [[1.5, 4.0]]
    assert (found["a"].labels, found["a"].subset, found["a"].duration_s) == (("jump",), "validation", 10.0)
    assert found["b"].segments_s.shape == (0, 2)


def test_bmn_with_its_list_of_videos(tmp_path: Path) -> None:
    video = {"duration_second": 9, "duration_frame": 90, "annotations": [{"segment": [0, 0], "label": "run"}]}
    path = written(tmp_path, {"v_a": video})
    assert read_annotations(path)["v_a"].subset is None
    (tmp_path / "video_info_new.csv").write_text("video,numFrame,subset\nv_a,90,training\n")
    found = read_annotations(path)["v_a"]
    assert (found.subset, found.duration_s, found.segments_s.tolist()) == ("training", 9.0, [[0.0, 0.0]])
    (tmp_path / "video_info_new.csv").write_text("name\nv_a\n")
    with pytest.raises(UserError, match=r"video_info_new.csv: is not BMN's list"):
        read_annotations(path)


def test_thumos_writes_its_times_as_text(tmp_path: Path) -> None:
    found = read_annotations(written(tmp_path, database(["18.6", "24.8"], subset="test")))["a"]
    assert found.segments_s.dtype == np.float64
    assert (found.segments_s.tolist(), found.duration_s) == ([[18.6, 24.8]], None)


@pytest.mark.parametrize(
    ("file", "videos", "actions", "subsets"),
    [
        ("activitynet/anet_anno_action.json", 19228, 22152, {"training": 9649, "validation": 4728, "testing": 4851}),
        ("thumos14/thumos_gt.json", 410, 6318, {"train": 200, "test": 210}),
        ("mmaction2_samples/gt.json", 2, 4, {"validation": 2}),
        ("mmaction2_samples/action_test_anno.json", 2, 2, {}),
    ],
)
def test_real_files(shared_data: Path, file: str, videos: int, actions: int, subsets: dict[str, int]) -> None:
    path = shared_data / "temporal" / file
    found = read_annotations(path)
    assert (len(found), sum(len(video.labels) for video in found.values())) == (videos, actions)
    assert {subset: len(of_subset(found, subset, path)) for subset in subsets} == subsets


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty; give a JSON file"),
        ("  \n", "is empty; give a JSON file"),
        ('{"database": ', "is not JSON"),
        ("[1]", "is a JSON list"),
        ({}, "has no videos"),
        ({"database": {}}, "has no videos"),
        ({"results": {}}, "give it as --predictions"),
        ({"a": {"duration": 3}}, "no video has 'annotations'"),
        ({"a": {"annotations": []}, "b": {}}, "video 'b' has no 'annotations'"),
        ({"a": {"annotations": {}}}, "video 'a': 'annotations' is a JSON dict; give a list"),
        (database([5, 3.2]), "video 'a', annotation 0: ends at 3.2 s, before it starts at 5 s"),
        (database([5]), "video 'a', annotation 0: segment [5]; give [start, end] in seconds"),
        (database(["x", 3]), "annotation 0: its start is 'x'; give a finite number"),
        (database([1, "nan"]), "annotation 0: its end is 'nan'; give a finite number"),
        (database([1, 2], duration="long"), "video 'a': its duration is 'long'"),
        ({"a": {"annotations": [{"segment": [1, 2]}]}}, "video 'a', annotation 0 has no 'label'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, content: Any, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UserError) as error:
        read_annotations(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: .*absent\.json"):
        read_annotations(tmp_path / "absent.json")


def test_subsets(tmp_path: Path) -> None:
    content = database([1, 2], subset="validation")
    content["database"]["b"] = {"subset": "training", "annotations": []}
    path = written(tmp_path, content)
    found = read_annotations(path)
    assert list(of_subset(found, "training", path)) == ["b"]
    with pytest.raises(UserError, match=r"--subset validaton: .* has no such subset; did you mean 'validation'"):
        of_subset(found, "validaton", path)
    with pytest.raises(UserError, match="has the subsets validation, training; choose one of them with --subset"):
        of_subset(found, None, path)
    single = {"a": found["a"]}
    assert of_subset(single, None, path) == single
    without = read_annotations(written(tmp_path, database([1, 2])))
    assert of_subset(without, None, path) == without
    with pytest.raises(UserError, match="has no subsets; leave --subset out"):
        of_subset(without, "validation", path)
