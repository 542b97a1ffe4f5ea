"""Segments of time, and where the locations of a window lie: [start_s, end_s] in seconds, float64."""

from __future__ import annotations

import numpy as np


def location_times(length: int, *, step_s: float, first_s: float = 0.0) -> np.ndarray:
    """[length] float64, seconds: each location is the middle of its snippet.

    Args:
        length: snippets in the window.
        step_s: from one snippet to the next; of a whole video rescaled to the window, ``duration_s / length``.
        first_s: where the first snippet begins.
    """
    return first_s + step_s * (np.arange(length) + 0.5)


def temporal_iou(segments_s: np.ndarray, others_s: np.ndarray) -> np.ndarray:
    """Temporal intersection over union, [K, M] float64, of segments [K, 2] and [M, 2]; 0 where both are empty."""
    a, b = np.asarray(segments_s, np.float64)[:, None], np.asarray(others_s, np.float64)[None]
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    shared = np.maximum(shared, 0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
