"""From what the network says of a window to proposals: scored segments in seconds (BC-GNN, Sec. 3.5)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Proposals(NamedTuple):
    """``segments_s`` [K, 2] float64 seconds, ``scores`` [K] float64, by falling score."""

    segments_s: np.ndarray
    scores: np.ndarray


def fuse(start: np.ndarray, end: np.ndarray, content: np.ndarray, times_s: np.ndarray) -> Proposals:
    """Every segment of a window with the score ``p_s · p_e · p_c`` (Eq. 8). Equal scores: in order of start, then end.

    Args:
        start, end: [l_w] probabilities.
        content: [l_w, l_w] probability of the content from location i to j; 0 where these make no segment.
        times_s: [l_w] float64, of the locations.
    """
    i, j = np.nonzero(content)
    scores = np.float64(start[i]) * np.float64(end[j]) * np.float64(content[i, j])
    order = np.argsort(-scores, kind="stable")
    return Proposals(np.stack([times_s[i], times_s[j]], axis=1)[order], scores[order])
