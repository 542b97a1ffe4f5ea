"""Suppression of proposals that overlap better ones: Soft-NMS and plain NMS on segments.

Soft-NMS: Bodla et al., *Improving Object Detection With One Line of Code*, ICCV 2017, with its Gaussian (Eq. 4).
"""

from __future__ import annotations

import numpy as np

from models.bcgnn.proposals import Proposals
from models.bcgnn.segments import temporal_iou


def soft_nms(segments_s: np.ndarray, scores: np.ndarray, *, sigma: float, most: int) -> Proposals:
    """The best proposal is kept, the score of each other falls by ``exp(−tIoU² / sigma)``; then the next best.

    Args:
        segments_s: [K, 2] float64, seconds.
        scores: [K], not negative.
        sigma: the smaller, the more an overlap costs.
        most: how many to keep.

    Of equal scores the first in the given order is kept first.
    """
    _check(segments_s, scores, most)
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: must be above 0")
    left = np.array(scores, np.float64)
    kept = np.empty(min(most, len(left)), np.int64)
    kept_scores = np.empty(len(kept))
    for n in range(len(kept)):
        best = int(left.argmax())
        kept[n], kept_scores[n] = best, left[best]
        left *= decay(segments_s[best], segments_s, sigma)
        left[kept[: n + 1]] = -1
    return Proposals(np.asarray(segments_s, np.float64)[kept], kept_scores)


def decay(segment: np.ndarray, others: np.ndarray, sigma: float) -> np.ndarray:
    """By what choosing ``segment`` [2] multiplies the scores of ``others`` [K, 2]: [K], in any unit of time."""
    return np.exp(-(temporal_iou(segment[None], others)[0] ** 2) / sigma)


def nms(segments_s: np.ndarray, scores: np.ndarray, *, threshold: float, most: int) -> Proposals:
    """The best proposal is kept, all that overlap it with a tIoU above ``threshold`` go; then the next best.

    Args:
        segments_s: [K, 2] float64, seconds.
        scores: [K].
        threshold: 0 to 1.
        most: how many to keep.

    Of equal scores the first in the given order is kept first.
    """
    _check(segments_s, scores, most)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold}: must be from 0 to 1")
    segments_s, scores = np.asarray(segments_s, np.float64), np.asarray(scores, np.float64)
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < most:
        kept.append(int(left[0]))
        left = left[1:][temporal_iou(segments_s[left[:1]], segments_s[left[1:]])[0] <= threshold]
    return Proposals(segments_s[kept], scores[kept])


def _check(segments_s: np.ndarray, scores: np.ndarray, most: int) -> None:
    if segments_s.shape != (len(scores), 2):
        raise ValueError(f"segments_s has the shape {segments_s.shape}, not ({len(scores)}, 2)")
    if most < 1:
        raise ValueError(f"most={most}: must be 1 or more")
