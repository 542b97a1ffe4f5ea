"""COCO's average precision against its definition in Python loops, and against the public evaluator on a file."""

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from evaluation.detection.protocol import DetectionScores, coco_scores, score_coco_form
from formats.detection.dataset import Picture
from tests.support.slow_detection_scores import average_precision

CLASSES = ("car", "person")


# On a coarse grid: equal boxes, and overlaps exactly at a threshold come up; 32² and 96² too.
CORNERS = st.tuples(*[st.sampled_from([0, 16, 32, 48, 96, 112])] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 16, max(c[1], c[3]) + 16)
)
OBJECTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), CORNERS, st.booleans()), min_size=1, max_size=8)
FOUND = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), CORNERS), max_size=12)


def pictures(truths: list[Any]) -> list[Picture]:
    found = []
    for k in range(3):
        of = [truth for truth in truths if truth[0] == k]
        boxes = np.array([box for _, _, box, _ in of], np.float32).reshape(-1, 4)
        labels, ignored = np.array([t[1] for t in of], np.int64), np.array([t[3] for t in of], bool)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        found.append(Picture(Path(f"{k}.png"), 128, 128, boxes, labels, ignored, areas, k))
    return found


def predictions(found: list[Any]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    by_picture = [[f for f in found if f[0] == k] for k in range(3)]
    return [
        (
            np.array([box for _, _, box, _ in of], np.float32).reshape(-1, 4),
            np.array([score for *_, score in of]),
            np.array([label for _, label, _, _ in of], np.int64),
        )
        for of in by_picture
    ]


def slow(truths: list[Any], found: list[Any], thresholds: Any, size: str = "all") -> float:
    values = [average_precision(truths, found, c, iou, size) for c in range(len(CLASSES)) for iou in thresholds]
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


@given(OBJECTS, FOUND)
@settings(max_examples=60)
def test_any_pictures(truths: list[Any], boxes: list[Any]) -> None:
    found = [(*entry, 1 - k / 100) for k, entry in enumerate(boxes)]  # no two scores are equal: their order is open
    if all(ignored for *_, ignored in truths):
        with pytest.raises(UserError, match="no object is annotated"):
            coco_scores(pictures(truths), predictions(found), CLASSES)
        return
    scores = coco_scores(pictures(truths), predictions(found), CLASSES)
    thresholds = np.linspace(0.5, 0.95, 10).tolist()
    assert scores.ap == pytest.approx(slow(truths, found, thresholds), abs=1e-9)
    assert scores.ap50 == pytest.approx(slow(truths, found, [0.5]), abs=1e-9)
    assert scores.ap75 == pytest.approx(slow(truths, found, [0.75]), abs=1e-9)
    by_size = [slow(truths, found, thresholds, size) for size in ("small", "medium", "large")]
    assert scores.ap_by_size == pytest.approx(by_size, abs=1e-9, nan_ok=True)
    of_class = [average_precision(truths, found, c, 0.5) for c in range(2)]
    assert scores.class_ap[:, 1] == pytest.approx(of_class, abs=1e-9, nan_ok=True)
    assert scores.annotated.tolist() == [sum(c == k and not out for _, c, _, out in truths) for k in range(2)]
    assert scores.predicted.tolist() == [sum(c == k for _, c, *_ in found) for k in range(2)]


def made_up_files(folder: Path) -> tuple[Path, Path]:
    """Annotations as COCO has them (ids with gaps, areas of outlines, crowds) and results near to them."""
    rng = np.random.default_rng(3)
    images = [{"id": 7 * k + 100, "file_name": f"{k}.jpg", "width": 640, "height": 480} for k in range(12)]
    categories = [{"id": c, "name": name} for c, name in ((1, "person"), (3, "car"), (18, "dog"))]
    annotations, results = [], []
    for k in range(90):
        size = rng.uniform(6, 220, 2)
        box = [*rng.uniform(0, 400, 2).round(2), *size.round(2)]
        image, category = images[k % 12]["id"], categories[k % 2]["id"]  # no dog is annotated
        annotations.append({"id": 5 * k + 1, "image_id": image, "category_id": category, "bbox": box,
                            "area": float(0.6 * size.prod()), "iscrowd": int(k % 17 == 0)})  # fmt: skip
        for _ in range(int(rng.integers(0, 4))):
            near = (np.array(box) + rng.normal(0, 0.06, 4) * [*size, *size]).tolist()
            results.append({"image_id": image, "category_id": categories[int(rng.integers(0, 3))]["id"], "bbox": near,
                            "score": round(float(rng.uniform()), 2)})  # fmt: skip
    truth_file, result_file = folder / "instances.json", folder / "results.json"
    truth_file.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    result_file.write_text(json.dumps(results))
    return truth_file, result_file


def public(truth_file: Path, result_file: Path) -> np.ndarray:
    """The twelve numbers of the public evaluator, straight from the files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(truth_file))
        evaluation = COCOeval(truth, truth.loadRes(str(result_file)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.where(evaluation.stats < 0, np.nan, evaluation.stats)


def twelve(scores: DetectionScores) -> list[float]:
    return [scores.ap, scores.ap50, scores.ap75, *scores.ap_by_size, *scores.ar, *scores.ar_by_size]


def test_the_numbers_of_the_public_evaluator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = made_up_files(tmp_path)
    scores = score_coco_form(*(json.loads(file.read_text()) for file in files))
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(twelve(scores), public(*files))
    assert 0.1 < scores.ap < 0.9
    assert scores.class_names == ("person", "car", "dog")
    assert np.isnan(scores.class_ap[2]).all()
    assert scores.predicted[2] > 0


def test_an_object_of_id_0_is_found_too() -> None:
    box = {"image_id": 0, "category_id": 0, "bbox": [0, 0, 9, 9]}
    annotations = {
        "images": [{"id": 0}],
        "categories": [{"id": 0, "name": "car"}],
        "annotations": [{"id": 0, "area": 81, "iscrowd": 0, **box}],
    }
    assert score_coco_form(annotations, [{"score": 1.0, **box}]).ap == pytest.approx(1.0)


def test_nothing_found_is_zero() -> None:
    truths = [(0, 0, (0, 0, 20, 20), False)]
    scores = coco_scores(pictures(truths), predictions([]), CLASSES)
    assert (scores.ap, scores.ar[2], scores.predicted.sum()) == (0.0, 0.0, 0)


def test_detections_in_an_ignored_region_do_not_count() -> None:
    box, region = (0, 0, 20, 20), (50, 50, 100, 100)
    found = [(0, c, (60, 60, 90, 90), 0.9) for c in range(2)] + [(0, c, box, 0.5) for c in range(2)]
    truths = [(0, 0, box, False), (0, 1, box, False)]
    assert coco_scores(pictures(truths), predictions(found), CLASSES).ap == pytest.approx(0.5)
    ignored = [*truths, *((0, c, region, True) for c in range(2))]
    assert coco_scores(pictures(ignored), predictions(found), CLASSES).ap == pytest.approx(1.0)
