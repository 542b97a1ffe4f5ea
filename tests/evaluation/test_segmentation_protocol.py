"""The protocol against its definition written with Python sets, and against the formulas of the public evaluator."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.segmentation.protocol import (
    DISTANCE_EDGES_M,
    confusion,
    confusion_by_distance,
    intersection_over_union,
    scores,
)

SEEDS = st.integers(0, 2**32 - 1)


def iou_of_sets(truth: np.ndarray, predicted: np.ndarray, c: int) -> float:
    """|points that are c ∩ points called c| / |∪|, of the labelled ones. NaN where there are neither."""
    labelled = {i for i, t in enumerate(truth.tolist()) if t != 0}
    true = {i for i in labelled if truth[i] == c}
    called = {i for i in labelled if predicted[i] == c}
    return len(true & called) / len(true | called) if true | called else float("nan")


def labels(seed: int, classes: int, points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and predictions that are right half of the time; some classes may be missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, rng.integers(1, classes + 1), points).astype(np.uint8)
    predicted = np.where(rng.random(points) < 0.5, truth, rng.integers(0, classes, points)).astype(np.uint8)
    return truth, predicted


@given(SEEDS, st.integers(2, 20))
def test_every_score_is_its_definition(seed: int, classes: int) -> None:
    truth, predicted = labels(seed, classes)
    found = scores(confusion(truth, predicted, classes))
    expected = [iou_of_sets(truth, predicted, c) for c in range(1, classes)]
    assert np.isnan(found.iou[0])
    assert found.iou[1:] == pytest.approx(expected, abs=1e-6, nan_ok=True)

    there = {int(t) for t in truth} - {0}
    assert set(np.flatnonzero(found.present)) == there
    assert found.support.tolist() == [int((truth == c).sum()) for c in range(classes)]
    assert found.labelled == sum(t != 0 for t in truth.tolist())
    if there:
        assert found.miou == pytest.approx(sum(0 if np.isnan(v) else v for v in expected) / (classes - 1), abs=1e-6)
        assert found.miou_present == pytest.approx(sum(expected[c - 1] for c in there) / len(there), abs=1e-6)
        right = sum(t == p for t, p in zip(truth.tolist(), predicted.tolist(), strict=True) if t != 0)
        assert found.accuracy == pytest.approx(right / found.labelled, abs=1e-6)
    else:
        assert np.isnan([found.miou, found.miou_present, found.accuracy, found.accuracy_official]).all()


@given(SEEDS)
def test_as_the_public_evaluator_counts(seed: int) -> None:
    """Its table has predictions in rows and truths in columns; the column of the ignored class is set to 0."""
    classes = 20
    truth, predicted = labels(seed, classes, points=500)
    truth[0] = 1
    table = np.zeros((classes, classes))
    for t, p in zip(truth, predicted, strict=True):
        table[p, t] += t != 0
    tp = table.diagonal()
    fp, fn = table.sum(axis=1) - tp, table.sum(axis=0) - tp
    found = scores(confusion(truth, predicted, classes))
    assert found.miou == pytest.approx((tp / (tp + fp + fn + 1e-15))[1:].mean(), abs=1e-6)
    assert found.accuracy_official == pytest.approx(tp.sum() / (tp[1:].sum() + fp[1:].sum() + 1e-15), abs=1e-6)


def test_what_class_0_means_in_truth_and_in_predictions() -> None:
    truth, predicted = np.array([1, 1, 2, 2, 0, 0]), np.array([1, 0, 2, 2, 1, 0])
    found = scores(confusion(truth, predicted, 4))
    assert found.iou[1:3].tolist() == [0.5, 1.0]  # called 0: a miss; called 1 where nothing is labelled: nothing
    assert np.isnan(found.iou[3])
    assert found.miou == 0.5  # class 3 is not there and counts as 0
    assert found.miou_present == 0.75
    assert found.accuracy == 0.75
    assert found.accuracy_official == 1.0  # of the three labelled points that were given a class


def test_a_class_that_is_only_predicted_lowers_the_official_mean_alone() -> None:
    found = scores(confusion(np.array([1, 1]), np.array([1, 2]), 3))
    assert found.iou[1:].tolist() == [0.5, 0.0]
    assert (found.miou, found.miou_present) == (0.25, 0.5)


def test_confusion_counts_true_by_row() -> None:
    assert confusion(np.array([1, 1, 2]), np.array([1, 2, 2]), 3).tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_iou_leaves_its_counts_as_they_are() -> None:
    counts = confusion(np.array([0, 1]), np.array([1, 1]), 2)
    before = counts.copy()
    intersection_over_union(counts)
    assert (counts == before).all()


@given(SEEDS)
def test_bins_of_distance_are_the_confusion_of_the_points_in_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = 5
    truth, predicted = labels(seed, classes, points=80)
    direction = rng.normal(size=(80, 3))
    range_m = rng.uniform(0.1, 90, 80)
    xyz = direction / np.linalg.norm(direction, axis=1, keepdims=True) * range_m[:, None]
    points = np.column_stack([xyz, rng.random(80)]).astype(np.float32)
    points[3, :3], points[4, 1], points[5, 0] = 0, np.nan, np.inf
    without = np.isin(np.arange(80), (3, 4, 5))
    by_distance = confusion_by_distance(truth, predicted, points, classes)
    assert (by_distance[0] == confusion(truth[without], predicted[without], classes)).all()
    for k, (lower, upper) in enumerate(itertools.pairwise(DISTANCE_EDGES_M), start=1):
        inside = ~without & (range_m > lower) & (range_m <= upper)
        assert (by_distance[k] == confusion(truth[inside], predicted[inside], classes)).all()
    assert (by_distance.sum(axis=0) == confusion(truth, predicted, classes)).all()


def test_an_edge_belongs_to_the_nearer_bin() -> None:
    points = np.array([[10, 0, 0, 1], [0, 50, 0, 1], [np.nextafter(np.float32(50), np.float32(60)), 0, 0, 0]], "f4")
    by_distance = confusion_by_distance(np.ones(3, np.uint8), np.ones(3, np.uint8), points, 2)
    assert by_distance.sum(axis=(1, 2)).tolist() == [0, 1, 0, 0, 0, 1, 1]
