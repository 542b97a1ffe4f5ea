"""Which ground is taken: rectangles seen from above, and whether another one would overlap them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Footprint(NamedTuple):
    """A rectangle on the ground, street coordinates (metres): its middle, half sides, the direction of the first."""

    x: float
    y: float
    half_length: float
    half_width: float
    heading: float

    def shrunk(self, factor: float) -> Footprint:
        """The same rectangle with shorter sides."""
        return self._replace(half_length=factor * self.half_length, half_width=factor * self.half_width)

    def corners(self) -> np.ndarray:
        """Its corners in order round it: float64 [4,2]."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        along, across = self.half_length * np.array([c, s]), self.half_width * np.array([-s, c])
        return np.array([self.x, self.y]) + np.stack([along + across, along - across, -along - across, across - along])


class Footprints:
    """Rectangles that may be asked together whether they overlap one more."""

    def __init__(self) -> None:
        self._rows = np.zeros((64, 5))
        self._count = 0

    def add(self, footprint: Footprint) -> None:
        """Take the ground of one more rectangle."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[self._count] = footprint
        self._count += 1

    def overlap(self, footprint: Footprint) -> bool:
        """Whether any of the rectangles and ``footprint`` have ground in common.

        Two convex shapes are apart exactly where some side of one of them has the other beyond it (the separating
        axis theorem); a rectangle has two directions of sides.
        """
        rows = self._rows[: self._count]
        dx, dy = rows[:, 0] - footprint.x, rows[:, 1] - footprint.y
        reach = math.hypot(footprint.half_length, footprint.half_width)
        near = dx * dx + dy * dy < (reach + np.hypot(rows[:, 2], rows[:, 3])) ** 2
        if not near.any():
            return False
        rows, dx, dy = rows[near], dx[near], dy[near]
        _, _, length, width, heading = rows.T
        own_length, own_width, own_heading = footprint[2:]
        c, s = np.abs(np.cos(heading - own_heading)), np.abs(np.sin(heading - own_heading))
        apart = np.abs(_along(dx, dy, own_heading)) >= own_length + length * c + width * s
        apart |= np.abs(_across(dx, dy, own_heading)) >= own_width + length * s + width * c
        apart |= np.abs(_along(dx, dy, heading)) >= length + own_length * c + own_width * s
        apart |= np.abs(_across(dx, dy, heading)) >= width + own_length * s + own_width * c
        return bool((~apart).any())


def _along(x: np.ndarray, y: np.ndarray, heading: np.ndarray | float) -> np.ndarray:
    return x * np.cos(heading) + y * np.sin(heading)


def _across(x: np.ndarray, y: np.ndarray, heading: np.ndarray | float) -> np.ndarray:
    return y * np.cos(heading) - x * np.sin(heading)
