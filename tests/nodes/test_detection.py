"""The detection node: boxes in the frame's own pixels, and what does not fit is refused before the start."""

import json
from pathlib import Path

import numpy as np
import pytest

from errors import DataAbsentError, UserError
from nodes.detection import Detection
from pipeline.messages import CameraFrame, Detections, Header
from tests.support.tiny_detector import CLASS_NAMES, make_tiny_detector

BLUE, GREEN, RED = np.eye(3, dtype=np.uint8) * 255


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_detector(tmp_path_factory.mktemp("tiny") / "model")


def picture() -> np.ndarray:
    """Twice the input's size: a cell is 64 px. One is green, one red, one half blue."""
    image = np.zeros((192, 640, 3), np.uint8)
    image[0:64, 64:128] = GREEN
    image[128:192, 576:640] = RED
    image[64:128, 0:64] = BLUE // 2 + 20
    return image


def run(node: Detection, image: np.ndarray) -> Detections:
    node.open()
    try:
        return node.process(CameraFrame(header=Header(seq=4, stamp_ns=5), image=image))
    finally:
        node.close()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_objects_are_where_they_are_in_the_frame(model: Path, backend: str) -> None:
    node = Detection(str(model), backend=backend, precision="fp32")
    found = run(node, picture())
    assert found.header == Header(seq=4, stamp_ns=5)
    assert found.class_names == CLASS_NAMES
    by_class = dict(zip(found.class_ids.tolist(), found.boxes.tolist(), strict=True))
    assert set(by_class) == {0, 1, 2}
    np.testing.assert_allclose(
        [by_class[c] for c in (1, 2, 0)], [[64, 0, 128, 64], [576, 128, 640, 192], [0, 64, 64, 128]]
    )
    np.testing.assert_allclose(found.scores, [1, 1, 147 / 255], atol=1e-5)
    assert node.counters == {"objects": 3, "objects_of_other_classes": 0}


def test_thresholds_and_classes_of_the_graph_go_before_the_manifests(model: Path) -> None:
    assert run(Detection(str(model), score_threshold=0.8, precision="fp32"), picture()).class_ids.tolist() == [1, 2]
    node = Detection(str(model), keep=["person"], precision="fp32")
    assert run(node, picture()).class_ids.tolist() == [2]
    assert node.counters == {"objects": 3, "objects_of_other_classes": 2}


def test_a_frame_without_objects_is_a_message_without_boxes(model: Path) -> None:
    found = run(Detection(str(model)), np.zeros((50, 70, 3), np.uint8))
    assert (found.boxes.shape, found.scores.shape, found.class_ids.shape) == ((0, 4), (0,), (0,))
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)


def edited(model: Path, folder: Path, **changes: object) -> str:
    """A copy of the model with other values in its manifest; those of the detector profile are joined."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes((model / "model.onnx").read_bytes())
    manifest = json.loads((model / "model.json").read_text())
    if isinstance(detector := changes.pop("detector", {}), dict):
        detector = manifest["detector"] | detector
    (folder / "model.json").write_text(json.dumps(manifest | {"detector": detector} | changes))
    return str(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"detector": None}, "has no detector profile"),
        ({"detector": {"decoding": "yolo"}}, "decoding 'yolo' is not known; did you mean 'yolox'"),
        ({"detector": {"decoding": "ssd"}}, "ssd wants .*, but the graph gives output"),
        ({"detector": {"numbers": {}}}, r"yolox wants output \[630, 8\], but the graph gives output \[1, 30, 8\]"),
        ({"detector": {"numbers": {"stride": 32}}}, "number 'stride' is not known; did you mean 'strides'"),
        ({"detector": {"height": 64}}, r"takes images float32\[1, 3, 96, 320\], not \[1, 3, 64, 320\]"),
        ({"detector": {"fit": "squash"}}, "squash"),
        ({"detector": {"score_threshold": 3}}, "score_threshold and nms_iou are of 0..1"),
        ({"labels": None}, "has no labels"),
        ({"labels": {"names": ["car"], "colors": [[1, 2, 3]]}}, r"wants output \[30, 6\], but the graph gives"),
    ],
    ids=str,
)
def test_a_wrong_manifest_is_refused_before_the_start(
    model: Path, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    folder = edited(model, tmp_path / "edited", **changes)
    with pytest.raises(UserError, match=says) as caught:
        Detection.check(folder)
    assert folder in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"score_threshold": 1.5}, "score_threshold is 1.5; give a number of 0..1"),
        ({"nms_iou": -1}, "nms_iou is -1"),
        ({"threads": -1}, "threads is -1"),
        ({"keep": ["persn"]}, "class 'persn' is not known; did you mean 'person'"),
        ({"backend": "onnx"}, "backend 'onnx' is not known"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_refused(model: Path, parameters: dict[str, object], says: str) -> None:
    Detection.check(str(model))
    with pytest.raises(UserError, match=says):
        Detection.check(str(model), **parameters)  # type: ignore[arg-type]


def test_an_absent_model_is_data_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DataAbsentError, match="no such folder; train a detector"):
        Detection.check(str(tmp_path / "none"))
