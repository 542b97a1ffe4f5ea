"""Boxes of ``objects.jsonl`` as corners, and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formats.labels import LabelTable
from simulation.actors import LABELS
from viewing.style import palette

# Corners 0..3 are the bottom, counter-clockwise from the front left; 4..7 the top.
EDGES = (
    (0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7),
    (0, 7), (3, 4),  # a cross on the front face
)  # fmt: skip
_SIGNS = np.array([(1, 1, -1), (-1, 1, -1), (-1, -1, -1), (1, -1, -1), (1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, -1, 1)])


def corners(box: Mapping[str, Any]) -> np.ndarray:
    """The corners float64 [8,3] of an object's ``box``, in the LiDAR's frame."""
    c, s = np.cos(box["yaw"]), np.sin(box["yaw"])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return _SIGNS * (np.array(box["size_m"]) / 2) @ turn.T + box["centre_m"]


def kind_colors(table: LabelTable) -> dict[str, tuple[int, int, int]]:
    """BGR of each kind of actor: that of its label."""
    kinds = list(LABELS)
    colors = palette(tuple(table.raw_colors_rgb[LABELS[kind][0]] for kind in kinds))
    return {kind: tuple(int(c) for c in color) for kind, color in zip(kinds, colors, strict=True)}
