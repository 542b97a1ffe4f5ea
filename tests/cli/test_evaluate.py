"""``run.py evaluate segmentation`` as a user calls it: real labels, scored as sets of points say; what it refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from evaluation.segmentation.protocol import DISTANCE_EDGES_M
from tests.support.labelled_drives import make_predictions, make_recording, truth_of


def iou_of_sets(truth: np.ndarray, predicted: np.ndarray, where: np.ndarray) -> list[float | None]:
    """IoU of classes 1..19 by Python's sets of point numbers, of the labelled points in ``where``."""
    true: dict[int, set[int]] = {c: set() for c in range(20)}
    called: dict[int, set[int]] = {c: set() for c in range(20)}
    for i in np.flatnonzero(where & (truth > 0)).tolist():
        true[int(truth[i])].add(i)
        called[int(predicted[i])].add(i)
    return [len(true[c] & called[c]) / len(true[c] | called[c]) if true[c] | called[c] else None for c in range(1, 20)]


def mean(values: list[float | None]) -> float:
    return math.fsum(v or 0.0 for v in values) / len(values)


def test_real_labels_agree_with_sets_of_points(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "semantickitti"
    sequence = root / "sequences" / "00"
    predicted = make_predictions(tmp_path / "sequences" / "00" / "predictions", sequence)
    out = tmp_path / "out"
    given = ["--data", str(root), "--sequences", "00", "--predictions", str(tmp_path), "--out", str(out)]
    assert main(["evaluate", "segmentation", *given]) == 0
    found = json.loads((out / "scores.json").read_text())

    truth = truth_of(sequence)
    points = np.concatenate([np.fromfile(f, "<f4").reshape(-1, 4) for f in sorted(sequence.glob("velodyne/*.bin"))])
    expected = iou_of_sets(truth, predicted, np.ones(len(truth), bool))
    assert [c["iou"] for c in found["classes"]] == pytest.approx(expected, abs=1e-6)
    assert found["miou"] == pytest.approx(mean(expected), abs=1e-6)
    present = [v for c, v in enumerate(expected, 1) if c in set(truth.tolist())]
    assert found["miou_present"] == pytest.approx(mean(present), abs=1e-6)
    assert (found["points"], found["points_labelled"]) == (len(truth), int((truth > 0).sum()))
    assert found["accuracy"] == pytest.approx((predicted == truth)[truth > 0].mean(), abs=1e-6)

    range_m = np.sqrt((points[:, :3].astype(np.float64) ** 2).sum(axis=1))
    for part, lower, upper in zip(found["distance"], DISTANCE_EDGES_M, DISTANCE_EDGES_M[1:], strict=False):
        inside = (range_m > lower) & (range_m <= upper)
        assert part["points_labelled"] == int((truth[inside] > 0).sum())
        assert part["iou"] == pytest.approx(iou_of_sets(truth, predicted, inside), abs=1e-6)
    for name in ("confusion.png", "iou_by_distance.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert sorted(file.name for file in out.iterdir()) == ["confusion.png", "iou_by_distance.png", "scores.json"]


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drive = make_recording(tmp_path / "drive")
    make_predictions(tmp_path / "predictions", drive, right=1.0)
    assert main(["evaluate", "segmentation", "--data", str(drive), "--predictions", str(tmp_path / "predictions")]) == 0
    said = capsys.readouterr().out
    labelled = int((truth_of(drive) > 0).sum())
    assert f"2 scans, 1,000 points, {1000 - labelled} of them unlabelled" in said
    rows = {line.split("  ")[0].strip(): line.split() for line in said.splitlines()}
    assert rows["mIoU official (19)"][3:] == ["100.0"] * 7
    assert rows["traffic-sign"][2] == "100.0"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "give one of --checkpoint, --model and --predictions"),
        (["--checkpoint", "a", "--predictions", "b"], "give one of --checkpoint, --model and --predictions"),
        (["--predictions", "p", "--knn", "3"], "--knn: predictions from files are scored as they are"),
        (["--predictions", "p", "--backend", "auto"], "--backend and --precision are for --model"),
        (["--checkpoint", "c", "--precision", "fp32"], "--backend and --precision are for --model"),
        (["--checkpoint", "none.pt"], "none.pt: no such checkpoint"),
        (["--model", "none"], "none: no such folder"),
        (["--predictions", "none"], "none/sequences/drive/predictions: no such folder"),
        (["--predictions", "none", "--sequences", "08"], "is one recording; leave --sequences out"),
        (["--predictions", "none", "--knn", "-1"], "--knn"),
    ],
)
def test_a_wrong_argument_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    named: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    drive = make_recording(tmp_path / "drive", points=5)
    assert main(["evaluate", "segmentation", "--data", str(drive), *arguments]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1


def test_an_unknown_task_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "segmentaton"]) == 2
    said = capsys.readouterr().err
    assert "segmentation" in said
    assert said.count("\n") == 1


def test_an_output_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = make_recording(tmp_path / "drive", points=5)
    make_predictions(tmp_path / "predictions", drive)
    (tmp_path / "file").write_text("")
    given = ["--data", str(drive), "--predictions", str(tmp_path / "predictions"), "--out", str(tmp_path / "file")]
    assert main(["evaluate", "segmentation", *given]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_evaluation_that_fails_writes_nothing(tmp_path: Path) -> None:
    drive = make_recording(tmp_path / "drive", points=5)
    make_predictions(tmp_path / "predictions", drive)
    (tmp_path / "predictions" / "000001.label").write_bytes(b"123")
    given = ["--data", str(drive), "--predictions", str(tmp_path / "predictions"), "--out", str(tmp_path / "out")]
    assert main(["evaluate", "segmentation", *given]) == 2
    assert list((tmp_path / "out").iterdir()) == []
