"""Non-maximum suppression of boxes, class by class: what ONNX's ``NonMaxSuppression`` does, in NumPy."""

from __future__ import annotations

import numpy as np


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box ``[4]`` with each of ``[K, 4]`` (x1 y1 x2 y2); 0 where both are empty."""
    overlap = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(overlap, 0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    return shared / np.where(union > 0, union, 1)


def nms(boxes: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, threshold: float, most: int) -> np.ndarray:
    """Which boxes stay: of two of a class that overlap by an IoU above ``threshold``, the one that scores more.

    Args:
        boxes: ``[K, 4]`` x1 y1 x2 y2.
        scores: ``[K]``; of equal ones, the first in the given order goes before.
        class_ids: ``[K]``; boxes of different classes do not suppress each other.
        threshold: 0..1.
        most: how many to keep over all classes.

    Returns:
        Their indices, best first: int64 ``[≤ most]``.
    """
    boxes = np.asarray(boxes, np.float32)
    kept: list[int] = []
    for class_id in np.unique(class_ids):
        left = np.flatnonzero(class_ids == class_id)
        left = left[np.argsort(-scores[left], kind="stable")]
        for _ in range(most):
            if not len(left):
                break
            kept.append(left[0])
            left = left[1:][iou(boxes[left[0]], boxes[left[1:]]) <= threshold]
    survivors = np.sort(np.array(kept, np.int64))
    return survivors[np.argsort(-scores[survivors], kind="stable")][:most]
