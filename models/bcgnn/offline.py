"""The proposals of a whole video at once: from sliding windows, or from the video as one window.

On a stream: :mod:`models.bcgnn.stream`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.bcgnn.merging import Candidates, Merger, in_seconds, window_candidates
from models.bcgnn.nms import soft_nms
from models.bcgnn.proposals import Proposals, fuse
from models.bcgnn.segments import location_times
from models.bcgnn.windows import rescaled, sliding

Score = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""The network on one window: features [D, l_w] float32 → start [l_w], end [l_w], content [l_w, l_w] (0: no segment)."""


def video_proposals(
    features: np.ndarray,
    times_s: np.ndarray,
    score: Score,
    *,
    length: int,
    stride: int,
    sigma: float,
    least_score: float,
) -> Proposals:
    """Score every window of a video and merge what they say (:mod:`models.bcgnn.merging`).

    Args:
        features: [D, L].
        times_s: [L] float64, the middles of the snippets.
        score: the network.
        length: l_w, snippets of a window.
        stride: snippets from one window to the next, at most ``length``.
        sigma, least_score: see :class:`~models.bcgnn.merging.Merger`.
    """
    snippets = features.shape[1]
    firsts, windows = sliding(features, length, stride)
    merger, final = Merger(sigma=sigma, least_score=least_score), []
    for first, window in zip(firsts.tolist(), windows, strict=True):
        inside = min(length, snippets - first)
        found = window_candidates(*score(window), first=first, snippets=inside, least_score=least_score)
        final.append(merger.add(found, first + stride)[0])
    final.append(merger.finish())
    segments, scores = (np.concatenate(parts) for parts in zip(*final, strict=True))
    order = np.lexsort((segments[:, 1], segments[:, 0], -scores))
    return in_seconds(Candidates(segments, scores).of(order), times_s)


def rescaled_proposals(
    features: np.ndarray, duration_s: float, score: Score, *, length: int, sigma: float, most: int
) -> Proposals:
    """Rescale a video to one window and score that (ActivityNet's style); Soft-NMS leaves the best ``most``.

    Args:
        features: [D, L].
        duration_s: of the video.
        score: the network.
        length: l_w, locations of the window.
        sigma, most: see :func:`models.bcgnn.nms.soft_nms`.
    """
    times_s = location_times(length, step_s=duration_s / length)
    return soft_nms(*fuse(*score(rescaled(features, length)), times_s), sigma=sigma, most=most)
