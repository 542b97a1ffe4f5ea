"""From the features of a whole video to what the network takes: windows of a fixed length. Features are [D, L]."""

from __future__ import annotations

import numpy as np


def rescaled(features: np.ndarray, length: int) -> np.ndarray:
    """The whole video as one window, [D, length] float32, by linear interpolation (ActivityNet's style).

    Location i lies at ``(i + ½) / length`` of the video, as :func:`models.bcgnn.segments.location_times` says.
    """
    snippets = features.shape[1]
    x = (np.arange(length) + 0.5) / length * snippets - 0.5
    return np.stack([np.interp(x, np.arange(snippets), channel) for channel in features]).astype(np.float32)


def sliding(features: np.ndarray, length: int, stride: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Windows from the first snippet on, each ``stride`` later, until all snippets are covered (THUMOS' style).

    Args:
        features: [D, L].
        length: of a window, in snippets.
        stride: in snippets, at most ``length``; None: half a window.

    Returns:
        first: [W] int64, the snippet that each begins with.
        windows: [W, D, length] float32, with zeros behind the last snippet.
    """
    first = firsts(features.shape[1], length, stride)
    return first, np.stack([window_from(features, begin, length) for begin in first.tolist()])


def firsts(snippets: int, length: int, stride: int | None = None) -> np.ndarray:
    """The snippet that each window of :func:`sliding` begins with, [W] int64."""
    stride = max(length // 2, 1) if stride is None else stride
    return np.arange(0, max(snippets - length, 0) + stride, stride)


def window_from(features: np.ndarray, first: int, length: int) -> np.ndarray:
    """The window of ``features`` [D, L] that begins with snippet ``first``: [D, length] float32, zeros behind L."""
    window = np.zeros((len(features), length), np.float32)
    inside = features[:, first : first + length]
    window[:, : inside.shape[1]] = inside
    return window
