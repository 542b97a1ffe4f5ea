"""Around an exported detector: its input pixel by pixel, and what becomes of its outputs."""

import itertools
from typing import Any

import numpy as np
import pytest

from errors import UserError
from models.detection.exported import ExportedDetector
from models.detection.fitting import Placed

MEANS, STDS = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)
HEIGHT, WIDTH = 32, 64
NOWHERE = Placed(1, 1, 0, 0, WIDTH, HEIGHT)


def detector(**changes: Any) -> ExportedDetector:
    arguments: dict[str, Any] = {
        "classes": 2,
        "means": None,
        "stds": None,
        "dtype": "float32",
        "given": {"b": (1, 5, 4), "scores": (1, 5, 2)},
        "height": HEIGHT,
        "width": WIDTH,
        "channels": "bgr",
        "layout": "nchw",
        "fit": "stretch",
        "pad_value": 114,
        "decoding": "boxes-scores",
        "numbers": {},
        "outputs": {},
        "score_threshold": 0.3,
        "nms_iou": 0.5,
        "max_detections": 100,
    }
    return ExportedDetector(**arguments | changes)


@pytest.mark.parametrize(("channels", "layout"), list(itertools.product(["rgb", "bgr"], ["nchw", "nhwc"])))
@pytest.mark.parametrize(("means", "stds"), [(None, None), (MEANS, STDS)])
def test_the_input_is_what_the_graph_wants(channels: str, layout: str, means: Any, stds: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    made, placed = detector(channels=channels, layout=layout, means=means, stds=stds).prepare(image)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    assert placed == NOWHERE
    for y, x, channel in ((0, 0, 0), (3, 50, 1), (31, 63, 2)):
        value = float(image[y, x, 2 - channel if channels == "rgb" else channel])
        if means:
            value = (value - means[channel]) / stds[channel]
        found = made[0, channel, y, x] if layout == "nchw" else made[0, y, x, channel]
        assert found == pytest.approx(value, abs=1e-5)


def test_bytes_stay_bytes() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    made, _ = detector(dtype="uint8", layout="nhwc").prepare(image)
    assert (made.dtype, made.shape, int(made[0, 1, 1, 1])) == (np.uint8, (1, HEIGHT, WIDTH, 3), 200)


def outputs() -> dict[str, np.ndarray]:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 90, 30], [0, 0, 5, 5], [0, 0, 10, 10]], np.float32)
    scores = np.array([[0.9, 0], [0.8, 0.1], [0.5, 0.6], [0.2, 0.1], [0, 0.7]], np.float32)
    return {"b": boxes[None], "scores": scores[None]}


def test_objects_are_the_best_of_each_class_inside_the_picture() -> None:
    found = detector().objects(outputs(), NOWHERE)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.6, 0.5])
    assert found.class_ids.tolist() == [0, 1, 1, 0]
    assert found.boxes[2].tolist() == [20, 20, WIDTH, 30]
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)


def test_without_suppression_all_stay_and_the_best_are_taken() -> None:
    assert detector(nms_iou=None).objects(outputs(), NOWHERE).scores.tolist() == pytest.approx(
        [0.9, 0.8, 0.7, 0.6, 0.5]
    )
    for nms_iou in (None, 0.5):
        found = detector(max_detections=2, nms_iou=nms_iou).objects(outputs(), NOWHERE)
        assert len(found.boxes) == 2
        assert found.scores[0] == np.float32(0.9)


def test_results_outlive_the_arrays_they_were_made_of() -> None:
    given = outputs()
    found = detector(nms_iou=None).objects(given, NOWHERE)
    for array in given.values():
        array[:] = -1
    assert found.scores[0] == np.float32(0.9)
    assert found.boxes.min() >= 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["b", "scores"])
def test_values_that_are_not_finite_are_no_objects(name: str, value: float) -> None:
    given = outputs()
    given[name][0, 3, 1] = value
    with pytest.raises(ValueError, match=f"output {name} has values that are not finite"):
        detector().objects(given, NOWHERE)


def test_outputs_of_another_shape_are_refused_when_they_come() -> None:
    loose = detector(given={"b": (1, None, 4), "scores": (1, None, 2)})
    assert len(loose.objects(outputs(), NOWHERE).boxes) == 4
    with pytest.raises(
        UserError, match=r"gave boxes \[1, 5, 4\], scores \[1, 4, 2\], its decoding wants boxes \[A, 4\]"
    ):
        loose.objects(outputs() | {"scores": np.zeros((1, 4, 2), np.float32)}, NOWHERE)
