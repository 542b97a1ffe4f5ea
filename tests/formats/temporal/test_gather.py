"""Many videos in one annotation file: what is read back is what the drives and files say, and mistakes are one line."""

import json
import sys

import numpy as np
import pytest

from errors import UserError
from formats.temporal.annotations import read_annotations
from formats.temporal.gather import gather, main

VISITS = {"video": "a clip.mp4", "duration_second": 20.5, "label": "visit", "segments": [[1.0, 2.5], [7, 9]]}


def drive(folder, segments, videos=1):
    folder.mkdir()
    video = {
        "duration": 9.0,
        "subset": "simulation",
        "annotations": [{"segment": s, "label": "vehicle stops", "track_id": 3} for s in segments],
        "all_actions": [],
    }
    (folder / "actions.json").write_text(json.dumps({"database": {f"drive_{i}": video for i in range(videos)}}))
    return folder


def visits(folder, **changes):
    path = folder / "visits.json"
    path.write_text(json.dumps({k: v for k, v in (VISITS | changes).items() if v is not None}))
    return path


def test_drives_and_segments_by_hand_in_one_file(tmp_path):
    drives = [drive(tmp_path / name, s) for name, s in (("200", [[0.5, 2.0], [1.0, 3.0]]), ("201", []))]
    out = tmp_path / "annotations.json"
    assert gather({"training": drives, "validation": [visits(tmp_path)]}, out) == {"training": 2, "validation": 2}
    found = read_annotations(out)
    assert {name: (v.subset, v.duration_s, v.labels) for name, v in found.items()} == {
        "200": ("training", 9.0, ("vehicle stops", "vehicle stops")),
        "201": ("training", 9.0, ()),
        "a clip": ("validation", 20.5, ("visit", "visit")),
    }
    np.testing.assert_array_equal(found["200"].segments_s, [[0.5, 2.0], [1.0, 3.0]])
    np.testing.assert_array_equal(found["a clip"].segments_s, [[1.0, 2.5], [7.0, 9.0]])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"segments": [[1, 2], [5, 4]]}, r"visits\.json, segment 1: ends at 4 s, before it starts at 5 s"),
        ({"segments": None}, r"visits\.json has no 'segments'"),
        ({"duration_second": "long"}, r"its duration_second is 'long'; give a finite number"),
        ({"label": None}, r"visits\.json has no 'label'"),
    ],
)
def test_segments_that_are_wrong(tmp_path, changes, what):
    with pytest.raises(UserError, match=what):
        gather({"validation": [visits(tmp_path, **changes)]}, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_drives_that_are_wrong(tmp_path):
    one, two = drive(tmp_path / "200", [[1, 2]]), drive(tmp_path / "201", [[1, 2]], videos=2)
    (tmp_path / "none").mkdir()
    for paths, what in (
        ([one, one], "a video called 200 is there already"),
        ([two], "is of 2 videos; a drive has one"),
        ([tmp_path / "none"], r"has no actions\.json; give simulated drives"),
        ([tmp_path / "nowhere"], "no such file"),
    ):
        with pytest.raises(UserError, match=what):
            gather({"training": paths}, tmp_path / "out.json")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        gather({"training": [one]}, tmp_path / "no" / "out.json")


def test_the_command(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["gather", "--validation", str(visits(tmp_path)), "--out", str(out)])
    main()
    assert capsys.readouterr().out == f"{out}: validation: 2 actions in 1 videos\n"
    monkeypatch.setattr(sys, "argv", ["gather", "--training", str(tmp_path / "nowhere"), "--out", str(out)])
    with pytest.raises(SystemExit, match="error: no such file"):
        main()
