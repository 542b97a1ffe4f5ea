"""Scores of a segmentation."""

from __future__ import annotations

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [classes, classes] int64 by true class (row) and predicted class (column)."""
    pairs = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def intersection_over_union(counts: np.ndarray) -> np.ndarray:
    """IoU per class from :func:`confusion`, as SemanticKITTI defines it: points whose true class is 0 do not count.

    [classes] float64; NaN for class 0, and for a class that is neither there nor predicted.
    """
    counts = counts[1:].astype(np.float64)
    hits = np.concatenate([[0], np.diag(counts[:, 1:])])
    union = counts.sum(0) + np.concatenate([[0], counts.sum(1)]) - hits
    union[0] = 0
    with np.errstate(invalid="ignore"):
        return hits / union
