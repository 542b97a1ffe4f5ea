"""The segments of a window, stored as blocks of 8 starts × 8 ends, and how content is sampled in them.

Only i < j (and j − i up to the longest duration) is a segment: less than half of all pairs. A list of edges has no
waste, but gathering along it is slow; a dense map is fast, but more than half empty. Blocks are both: those without a
segment are left out, and within a block starts and ends are rows and columns: sums over either are plain sums.

Sampling. Segment (i, j) takes the content at ``x_k = i + (j − i) · fraction_k`` by linear interpolation. All 64
segments of a block read the same few columns per k, so the interpolation is one product with a matrix of hat functions
``max(0, 1 − |x_k − column|)``, which is the same for all blocks on one diagonal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 8
"""Starts, and ends, of a block. Larger ones store more that is no segment, smaller ones read columns more often."""


class Blocks(NamedTuple):
    """Constant arrays for windows of one length: T blocks, K sampled columns per block, N samples per segment.

    Attributes:
        starts, ends: [T] int64, which eight starts and which eight ends: locations ``8·starts`` to ``8·starts + 7``.
        valid: [T, 8, 8] bool, whether a start and an end make a segment.
        columns: [T, K] int64, rows of an array [(length + 1) · N, …] whose row ``t·N + k`` is what sample k takes of
            column t. Column ``length`` stands for all outside the window.
        weights: [diagonals, 64, K] float32, the interpolation.
        diagonals: [T] int64, which of them each block has.
        cells: [length, length] int64, where segment (i, j) is in the flattened [T·64]; T·64 where there is none.
    """

    starts: np.ndarray
    ends: np.ndarray
    valid: np.ndarray
    columns: np.ndarray
    weights: np.ndarray
    diagonals: np.ndarray
    cells: np.ndarray


def blocks(length: int, max_duration: int, fractions: np.ndarray) -> Blocks:
    """The blocks of a window.

    Args:
        length: locations in the window (l_w).
        max_duration: the longest segment, in locations: j − i is at most that.
        fractions: [N] float64, where in a segment its samples lie: 0 at its start, 1 at its end.
    """
    count = -(-length // BLOCK)
    start, end = (each.ravel() for each in np.meshgrid(np.arange(count), np.arange(count), indexing="ij"))
    i, j = np.meshgrid(np.arange(BLOCK), np.arange(BLOCK), indexing="ij")
    starts_at, ends_at = BLOCK * start[:, None, None] + i, BLOCK * end[:, None, None] + j
    valid = is_segment(starts_at, ends_at, length, max_duration)
    kept = valid.any(axis=(1, 2))
    start, end, valid = start[kept], end[kept], valid[kept]
    cells = np.full((length, length), valid.size)
    cells[starts_at[kept][valid], ends_at[kept][valid]] = np.flatnonzero(valid)

    # In a block x_k varies by `reach`, from its smallest value on.
    diagonals = np.arange(np.max(end - start) + 1)
    within = i.ravel()[:, None] * (1 - fractions) + j.ravel()[:, None] * fractions  # [64, N]
    smallest, reach = within.min(axis=0), np.ptp(within, axis=0).max()
    width = int(np.ceil(reach - 1e-9)) + 2
    x = within + BLOCK * diagonals[:, None, None] * fractions  # [diagonals, 64, N], from the block's first start on
    first = np.floor(smallest + BLOCK * diagonals[:, None] * fractions).astype(np.int64)  # [diagonals, N]
    read = first[:, :, None] + np.arange(width)  # [diagonals, N, width]
    weights = np.maximum(0, 1 - np.abs(x[:, :, :, None] - read[:, None]))

    column = BLOCK * start[:, None, None] + read[end - start]
    column = np.where((column >= 0) & (column < length), column, length)
    samples = len(fractions)
    return Blocks(
        starts=start,
        ends=end,
        valid=valid,
        columns=(column * samples + np.arange(samples)[:, None]).reshape(len(start), -1),
        weights=weights.reshape(len(diagonals), BLOCK * BLOCK, -1).astype(np.float32),
        diagonals=end - start,
        cells=cells,
    )


def is_segment(start: np.ndarray, end: np.ndarray, length: int, max_duration: int) -> np.ndarray:
    """Whether locations make a segment of the window: the start before the end, and not longer than allowed."""
    return (start < end) & (end - start <= max_duration) & (end < length)
