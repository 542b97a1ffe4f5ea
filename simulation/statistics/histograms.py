"""Histograms and the distances between them."""

from __future__ import annotations

import numpy as np


def counted(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many of ``values`` [N] fall between neighbours of ``edges`` [B+1]: float64 [B].

    What lies beyond the edges counts in the first or the last bin; NaN does not count.
    """
    values = values[~np.isnan(values)]
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(float)


def centres(edges: np.ndarray) -> np.ndarray:
    """Middles of the bins between ``edges`` [B+1]: float64 [B]."""
    return (edges[:-1] + edges[1:]) / 2


def mean(shares: np.ndarray, edges: np.ndarray) -> float:
    """The mean of a histogram, its shares [B] taken to sit in the middles of their bins; NaN where it is empty."""
    return float((shares * centres(edges)).sum() / shares.sum()) if shares.sum() > 0 else float("nan")


def quantile(shares: np.ndarray, edges: np.ndarray, q: float) -> float:
    """The middle of the first bin up to which at least the share ``q`` (0..1) lies; NaN where it is empty."""
    if not shares.sum() > 0:
        return float("nan")
    reached = np.cumsum(shares) / shares.sum() >= q - 1e-12
    return float(centres(edges)[np.argmax(reached)])


def wasserstein_1(a: np.ndarray, b: np.ndarray, edges: np.ndarray) -> float:
    """How far the mass of ``a`` must be moved on average to make ``b``, in the unit of ``edges``.

    The shares [B] sit in the middles of their bins; W1 is then the area between the two cumulative histograms
    (Vallender, *Calculation of the Wasserstein distance between probability distributions on the line*, 1974).
    NaN where one of the two is empty.
    """
    if not (a.sum() > 0 and b.sum() > 0):
        return float("nan")
    apart = np.abs(np.cumsum(a / a.sum()) - np.cumsum(b / b.sum()))
    return float((apart[:-1] * np.diff(centres(edges))).sum())


def jensen_shannon(a: np.ndarray, b: np.ndarray) -> float:
    """Jensen-Shannon divergence of two histograms [B] in bits: 0 the same .. 1 nothing in common (Lin, 1991).

    NaN where one of the two is empty.
    """
    if not (a.sum() > 0 and b.sum() > 0):
        return float("nan")
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2
    return float((_entropy(middle) - (_entropy(p) + _entropy(q)) / 2).clip(0.0, 1.0))


def _entropy(p: np.ndarray) -> np.ndarray:
    p = p[p > 0]
    return -(p * np.log2(p)).sum()
