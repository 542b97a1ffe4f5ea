"""Proposals from windows of fixed durations, slid over the video and ranked by how much action they hold.

What came before boundaries were predicted (Sec. 1 of BC-GNN names it): durations and steps are set beforehand, so a
boundary is met by chance alone.
"""

from __future__ import annotations

import numpy as np

from models.bcgnn.proposals import Proposals

_SURROUNDING = 0.5  # of a window's duration, on either side


def windows(length: int, durations: tuple[int, ...], overlap: float) -> np.ndarray:
    """[K, 2] int64, first and last location of every window that fits into ``length`` locations.

    Args:
        durations: in locations.
        overlap: of a window with the next of its duration, 0 to below 1.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap={overlap}: must be from 0 to below 1")
    found = [
        np.stack([first := np.arange(0, length - d, max(1, round(d * (1 - overlap)))), first + d], axis=1)
        for d in durations
        if 0 < d < length
    ]
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def propose(actionness: np.ndarray, times_s: np.ndarray, candidates: np.ndarray) -> Proposals:
    """Windows ranked by their mean actionness, less that of half a duration on either side of them.

    Args:
        actionness: [l_w] probability that a location lies in an action (:class:`.network.Actionness`).
        times_s: [l_w] float64, of the locations.
        candidates: [K, 2], of :func:`windows`.

    The score is that difference brought to 0 to 1. Of equal ones the first in ``candidates`` is first.
    """
    first, last = candidates[:, 0], candidates[:, 1]
    margin = np.maximum(np.round(_SURROUNDING * (last - first)).astype(np.int64), 1)
    before, behind = np.maximum(first - margin, 0), np.minimum(last + margin, len(actionness) - 1)
    total = np.concatenate([[0.0], np.cumsum(actionness, dtype=np.float64)])
    inside = total[last + 1] - total[first]
    around = total[behind + 1] - total[before] - inside
    locations_around = (behind - before) - (last - first)
    outside = np.divide(around, locations_around, out=np.zeros_like(around), where=locations_around > 0)
    scores = (1 + inside / (last - first + 1) - outside) / 2
    order = np.argsort(-scores, kind="stable")
    return Proposals(np.stack([times_s[first], times_s[last]], axis=1)[order], scores[order])
