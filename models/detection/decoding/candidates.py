"""What decodings share: what they give, and how scores become candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

Wanted = tuple[int | str, ...]
"""The shape of an output without the batch. A size is a number, or a name: any number, the same wherever it stands."""


class Candidates(NamedTuple):
    """What may be objects, before suppression.

    Attributes:
        boxes: ``[K, 4]`` float32, x1 y1 x2 y2 in pixels of the input; they may reach over its edge.
        scores: ``[K]`` float32, 0..1.
        class_ids: ``[K]`` int64, 0-based.
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


class Decoding(Protocol):
    """What a detector's outputs mean. Made once for an input's size, called for each picture.

    ``outputs``: what it takes, by its own names.
    """

    outputs: Mapping[str, Wanted]

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        """What scores above ``score_threshold``; arrays have the shapes of :attr:`outputs`."""
        ...


def each_class(scores: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Of scores ``[A, C]``: rows and classes of all above ``threshold``; a row may come with several classes."""
    return np.nonzero(scores > threshold)


def best_class(scores: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Of scores ``[A, C]``: the rows whose best class is above ``threshold``, and that class."""
    best = scores.argmax(axis=1)
    rows = np.flatnonzero(scores[np.arange(len(scores)), best] > threshold)
    return rows, best[rows]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), which overflows nowhere; float32."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


def logit(probability: float) -> float:
    """:func:`sigmoid` undone: to compare with a threshold without a sigmoid of every logit."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis; float32."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)


def cells(height: int, width: int, strides: tuple[int, ...], offset: float) -> tuple[np.ndarray, np.ndarray]:
    """The cells of all levels: level by level, row by row.

    Args:
        height, width: of the input in pixels; a level has ⌈height/stride⌉ × ⌈width/stride⌉ cells.
        strides: in pixels.
        offset: of a cell's point from its corner, in strides: ½ is its middle.

    Returns:
        Points ``[A, 2]`` float32, x y in pixels, and each cell's stride ``[A]`` float32.
    """
    points, of_cell = [], []
    for stride in strides:
        rows, columns = np.indices((-(-height // stride), -(-width // stride)), np.float32)
        points.append(np.stack([columns.ravel() + offset, rows.ravel() + offset], axis=1) * stride)
        of_cell.append(np.full(rows.size, stride, np.float32))
    return np.concatenate(points).astype(np.float32), np.concatenate(of_cell)
