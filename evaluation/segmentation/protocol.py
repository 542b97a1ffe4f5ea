"""SemanticKITTI's protocol as pure functions of labels: confusion counts, IoU, accuracy, bins of distance.

The definitions are those of the benchmark's public evaluator (PRBonn/semantic-kitti-api: ``evaluate_semantics.py``,
``evaluate_semantics_by_distance.py``): points whose true class is 0 (unlabelled) do not count, whatever is predicted
for them; class 0 predicted for a labelled point is a miss of its true class. docs/evaluation.md has the differences.
"""

from __future__ import annotations

import dataclasses

import numpy as np

DISTANCE_EDGES_M = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, np.inf)
"""Bins of distance, each (lower, upper]. Those up to 50 m are the benchmark's; the last takes the rest."""


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [classes, classes] int64 by true class (row) and predicted class (column).

    ``truth`` and ``predicted``: classes below ``classes``, of any integer type and the same shape.
    """
    pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def confusion_by_distance(truth: np.ndarray, predicted: np.ndarray, points: np.ndarray, classes: int) -> np.ndarray:
    """:func:`confusion` per bin of :data:`DISTANCE_EDGES_M`: [1 + bins, classes, classes] int64.

    The first has the points without a distance: at range 0, or with a coordinate that is not finite. All of them
    together are the confusion of the scan. ``points`` [N, 3 or more] float32: x, y, z in metres.
    """
    range_m = np.linalg.norm(points[:, :3], axis=1)
    range_m[~np.isfinite(range_m)] = 0.0
    bin_of_point = np.searchsorted(DISTANCE_EDGES_M, range_m, side="left")
    cells = (bin_of_point * classes + truth) * classes + predicted
    bins = len(DISTANCE_EDGES_M)
    return np.bincount(cells, minlength=bins * classes * classes).reshape(bins, classes, classes)


def intersection_over_union(counts: np.ndarray) -> np.ndarray:
    """IoU = TP / (TP + FP + FN) per class, over the points whose true class is not 0.

    ``counts``: of :func:`confusion`. [classes] float64; NaN for class 0, and for a class that is neither there nor
    predicted.
    """
    labelled = counts.copy()
    labelled[0] = 0
    hits = np.diag(labelled)
    union = labelled.sum(axis=0) + labelled.sum(axis=1) - hits
    iou = np.full(len(counts), np.nan)
    np.divide(hits, union, out=iou, where=union > 0)
    iou[0] = np.nan
    return iou


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """What the protocol says of some points. Class 0 is in none of the means. NaN where no point is labelled.

    Attributes:
        iou: [classes] float64, as :func:`intersection_over_union` gives it.
        support: [classes] int64, points by true class.
        miou: over all classes, as the benchmark ranks by: a class that is not there counts as 0.
        miou_present: over the classes that labelled points have.
        accuracy: labelled points that are right, of all labelled points.
        accuracy_official: the same of those only for which a class other than 0 was predicted, as the benchmark's
            evaluator has it; equal to ``accuracy`` where 0 is never predicted.
    """

    iou: np.ndarray
    support: np.ndarray
    miou: float
    miou_present: float
    accuracy: float
    accuracy_official: float

    @property
    def labelled(self) -> int:
        """Points whose true class is not 0."""
        return int(self.support[1:].sum())

    @property
    def present(self) -> np.ndarray:
        """[classes] bool: whether labelled points have the class; False for class 0."""
        present = self.support > 0
        present[0] = False
        return present


def scores(counts: np.ndarray) -> Scores:
    """All scores of one table of :func:`confusion`."""
    iou, support = intersection_over_union(counts), counts.sum(axis=1)
    hits, labelled, decided = int(np.diag(counts)[1:].sum()), int(support[1:].sum()), int(counts[1:, 1:].sum())
    present = support[1:] > 0
    return Scores(
        iou=iou,
        support=support,
        miou=float(np.nan_to_num(iou[1:]).mean()) if labelled else np.nan,
        miou_present=float(iou[1:][present].mean()) if labelled else np.nan,
        accuracy=hits / labelled if labelled else np.nan,
        accuracy_official=hits / max(decided, 1) if labelled else np.nan,
    )
