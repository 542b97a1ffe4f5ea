"""Detections end to end, in real processes: boxes meet the LiDAR, and are written; what does not fit ends before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from inference.auto import open_session
from inference.detection import describe
from models.detection.exported import ExportedDetector, Found
from simulation.drive import simulate
from simulation.recipe import Recipe
from simulation.settings import CameraSettings, Settings
from tests.support.runs import remove, run_py, short_folder
from tests.support.tiny_detector import CLASS_NAMES, make_tiny_detector

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "configs" / "pipelines" / "objects.yaml"
FRAMES = 2
SCORE = 0.45


@pytest.fixture(scope="module")
def here() -> Iterator[Path]:
    """A drive of a few frames, a detector of colours, and the graph that joins them."""
    folder = short_folder()
    small = Settings(sensor="vlp-32c", light="day", weather="clear", camera=CameraSettings(scale=0.25))
    simulate(folder / "drive", Recipe(frames=FRAMES, seed=1, settings=small))
    make_tiny_detector(folder / "model", score_threshold=SCORE)
    nodes: dict[str, Any] = {
        "lidar": {"type": "lidar_source", "params": {"path": "${data}"}},
        "camera": {"type": "camera_source", "params": {"path": "${data}"}},
        "detector": {
            "type": "detection",
            "optional": True,
            "inputs": {"image": "camera"},
            "params": {"model": str(folder / "model"), "precision": "fp32", "backend": "onnxruntime"},
        },
        "fusion": {"type": "fusion", "inputs": {"scan": "lidar", "image": "camera", "detections": "detector"}},
        "frames": {"type": "jsonl_sink", "inputs": {"fused": "fusion"}, "params": {"out": "${out}/fused.jsonl"}},
        "objects": {
            "type": "kitti_object_sink",
            "inputs": {"fused": "fusion", "image": "camera"},
            "params": {"out": "${out}/objects"},
        },
    }
    (folder / "graph.yaml").write_text(yaml.safe_dump({"name": "objects", "nodes": nodes}))
    yield folder
    remove(folder)


def play(here: Path, out: str, *settings: str) -> Any:
    overrides = [word for setting in settings for word in ("--set", f"nodes.detector.params.{setting}")]
    return run_py(
        "play",
        str(here / "graph.yaml"),
        "--data",
        str(here / "drive"),
        "--rate",
        "max",
        "--out",
        str(here / out),
        *overrides,
    )


def expected(here: Path) -> Iterator[Found]:
    """What the detector finds in each picture, without a graph around it."""
    import cv2

    with open_session(here / "model", backend="onnxruntime") as session:
        described = describe(here / "model", session.manifest)
        detector = ExportedDetector(**described.arguments())
        for file in sorted((here / "drive" / "image_2").glob("*.png")):
            picture, placed = detector.prepare(cv2.imread(str(file)))
            yield detector.objects(session.infer({described.input.name: picture}), placed)


def test_boxes_get_a_distance_and_are_written(here: Path) -> None:
    done = play(here, "o")
    assert done.returncode == 0, done.stdout + done.stderr
    frames = [json.loads(line) for line in (here / "o" / "fused.jsonl").read_text().splitlines()]
    assert len(frames) == FRAMES
    distances = []
    for frame, found in zip(frames, expected(here), strict=True):
        assert len(found.boxes) > 0
        np.testing.assert_allclose([o["box"] for o in frame["objects"]], found.boxes, atol=0.01)
        assert [o["class_name"] for o in frame["objects"]] == [CLASS_NAMES[c] for c in found.class_ids]
        distances += [o["distance_m"] for o in frame["objects"] if o["distance_m"] is not None]
        lines = (here / "o" / "objects" / f"{frame['name']}.txt").read_text().splitlines()
        assert len(lines) == len(found.boxes)
        assert {line.split()[0] for line in lines} <= {"Misc", "Car", "Pedestrian"}
        known = [line for line in lines if float(line.split()[8]) > -1]
        assert len(known) == sum(o["distance_m"] is not None for o in frame["objects"])
    assert distances
    assert all(1 < distance_m < 130 for distance_m in distances)
    assert json.loads((here / "o" / "run" / "report.json").read_text())["unexplained"] == 0


def test_the_shipped_graph_of_a_camera_alone_writes_a_line_per_frame_and_a_video(here: Path) -> None:
    done = run_py(
        "play",
        str(OBJECTS),
        "--data",
        str(here / "drive"),
        "--rate",
        "max",
        "--out",
        str(here / "camera"),
        "--set",
        f"nodes.detector.params.model={here / 'model'}",
        "--set",
        "nodes.detector.params.precision=fp32",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in (here / "camera" / "objects.jsonl").read_text().splitlines()]
    assert len(lines) == FRAMES
    for line, found in zip(lines, expected(here), strict=True):
        np.testing.assert_allclose([o["box"] for o in line["objects"]], found.boxes, atol=0.01)
        assert [o["class_name"] for o in line["objects"]] == [CLASS_NAMES[c] for c in found.class_ids]
    with av.open(str(here / "camera" / "video.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == FRAMES


def test_without_the_model_the_rest_plays_and_no_file_says_that_nothing_was_there(here: Path) -> None:
    done = play(here, "without", f"model={here / 'none'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"left out detector: {here / 'none'}: no such folder" in done.stdout
    frames = [json.loads(line) for line in (here / "without" / "fused.jsonl").read_text().splitlines()]
    assert [frame["objects"] for frame in frames] == [[]] * FRAMES
    assert not (here / "without" / "objects").exists()
    assert f"scans_without_detections {FRAMES}" in done.stdout


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"detector": {"decoding": "retinanet", "numbers": {}}}, "retinanet wants class_logits [5787, 3], regression"),
        ({"labels": None}, "its manifest has no labels"),
    ],
    ids=["wrong decoding", "no names"],
)
def test_a_detector_that_does_not_fit_ends_the_run_before_it_starts(
    here: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    manifest = json.loads((here / "model" / "model.json").read_text())
    changed = manifest | changes | {"detector": manifest["detector"] | changes.get("detector", {})}
    (tmp_path / "model.json").write_text(json.dumps(changed))
    (tmp_path / "model.onnx").write_bytes((here / "model" / "model.onnx").read_bytes())
    done = play(here, "refused", f"model={tmp_path}")
    assert done.returncode == 2
    assert says in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (here / "refused").exists()
