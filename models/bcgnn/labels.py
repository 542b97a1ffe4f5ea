"""What is true of each location and each segment of a window, to train on (BC-GNN, Sec. 3.4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.bcgnn.blocks import is_segment
from models.bcgnn.segments import temporal_iou

_MARGIN = 0.1  # of an action's duration, before and behind its start and its end
_LEAST_TIOU = 0.5


class Labels(NamedTuple):
    """``start`` and ``end`` [l_w] bool, ``content`` [l_w, l_w] bool of the segment from i to j."""

    start: np.ndarray
    end: np.ndarray
    content: np.ndarray


def assign(
    actions_s: np.ndarray, times_s: np.ndarray, *, max_duration: int | None = None, least_margin_s: float = 0.0
) -> Labels:
    """Label a window.

    A location is a start where it is within a tenth of some action's duration from that action's start, an end alike
    (Eq. 5; the paper prints the start in the end's region). A segment has content where it begins at such a start, ends
    at such an end, and overlaps some action with a tIoU above 0.5.

    Args:
        actions_s: [G, 2] float64, seconds; those of the whole video will do.
        times_s: [l_w] float64, of the locations (:func:`models.bcgnn.segments.location_times`).
        max_duration: the longest segment, in locations; None: the whole window.
        least_margin_s: regions reach at least so far. The paper has none, and an action shorter than five snippets may
            then fall between two locations and be a start nowhere; half a snippet prevents that.

    Raises:
        ValueError: actions that end before they start.
    """
    actions_s = np.asarray(actions_s, np.float64).reshape(-1, 2)
    durations_s = actions_s[:, 1] - actions_s[:, 0]
    if (durations_s < 0).any():
        raise ValueError(f"an action ends before it starts: {actions_s[durations_s < 0][0].tolist()}")
    margins_s = np.maximum(_MARGIN * durations_s, least_margin_s)
    start, end = (
        (np.abs(times_s[:, None] - edges_s) <= margins_s).any(axis=1) for edges_s in (actions_s[:, 0], actions_s[:, 1])
    )
    length = len(times_s)
    longest = length - 1 if max_duration is None else max_duration
    i, j = np.meshgrid(np.arange(length), np.arange(length), indexing="ij")
    content = is_segment(i, j, length, longest) & start[:, None] & end[None, :]
    if len(actions_s):
        segments_s = np.stack([times_s[i[content]], times_s[j[content]]], axis=1)
        content[content] = (temporal_iou(segments_s, actions_s) > _LEAST_TIOU).any(axis=1)
    return Labels(start, end, content)


def largest_tiou(actions_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """[l_w, l_w] float64: of the segment from i to j with any action [G, 2]; 0 without actions and where j ≤ i."""
    length = len(times_s)
    i, j = np.triu_indices(length, 1)
    found = np.zeros((length, length))
    if len(actions_s):
        found[i, j] = temporal_iou(np.stack([times_s[i], times_s[j]], axis=1), actions_s).max(axis=1)
    return found
