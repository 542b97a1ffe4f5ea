"""The line down the middle of the street, by arc length."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

_STEP_M = 0.5
_BEFORE_M = 500.0  # the line is known from here before its origin

Wave = tuple[float, float, float]  # swing, wavelength in metres, phase


def turn(axis: int, angle: float) -> np.ndarray:
    """Rotation matrix float64 [3,3] about axis 0 (x), 1 (y) or 2 (z)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


class Centreline:
    """A winding, rolling line: its heading and its height are sums of sines of the way ``s`` along it.

    ``bends``: the sines of the heading, swing in radians; ``hills``: those of the height, swing in metres. A point of
    the street is (s, d): ``s`` metres along the line as seen from above, ``d`` metres to its left.
    """

    def __init__(self, bends: tuple[Wave, ...], hills: tuple[Wave, ...] = ()) -> None:
        self._bends, self._hills = bends, hills
        self._tabulate(1000.0)

    def heading(self, s: ArrayLike) -> np.ndarray:
        """Direction of the line at ``s``, radians from x, counter-clockwise."""
        return _sines(self._bends, s)

    def curvature(self, s: ArrayLike) -> np.ndarray:
        """Change of heading per metre at ``s``: positive where the line turns left."""
        return slopes(self._bends, s)

    def at(self, s: ArrayLike, d: ArrayLike = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """x and y (metres) of the points (s, d); the two broadcast."""
        s, d = np.broadcast_arrays(np.asarray(s, float), np.asarray(d, float))
        if s.max(initial=0.0) > self._s[-1]:
            self._tabulate(2 * float(s.max()))
        heading = self.heading(s)
        x, y = np.interp(s, self._s, self._x), np.interp(s, self._s, self._y)
        return x - d * np.sin(heading), y + d * np.cos(heading)

    def height(self, s: ArrayLike) -> np.ndarray:
        """z of the road at ``s`` (metres); the street is level across."""
        return _sines(self._hills, s)

    def grade(self, s: ArrayLike) -> np.ndarray:
        """Rise of the road per metre at ``s``."""
        return slopes(self._hills, s)

    def pose(self, s: float, d: float = 0.0, yaw: float = 0.0, above_m: float = 0.0) -> np.ndarray:
        """Frame float64 [4,4] of a thing that stands at (s, d), ``above_m`` over the road's height, to the street.

        Its x axis points along the street, turned left by ``yaw``; its z axis is square to the road's slope.
        """
        (x, y), z = self.at(s, d), float(self.height(s)) + above_m
        heading, rise = float(self.heading(s)), math.atan(float(self.grade(s)))
        pose = np.eye(4)
        pose[:3, :3] = turn(2, heading) @ turn(1, -rise) @ turn(2, yaw)
        pose[:3, 3] = x, y, z
        return pose

    def _tabulate(self, end_m: float) -> None:
        # Sums run from one fixed start, so a longer table begins with the same bytes.
        self._s = np.arange(-_BEFORE_M, end_m + _STEP_M, _STEP_M)
        middle = self.heading(self._s - _STEP_M / 2)
        self._x, self._y = np.cumsum(np.cos(middle)) * _STEP_M, np.cumsum(np.sin(middle)) * _STEP_M


def _sines(waves: tuple[Wave, ...], s: ArrayLike) -> np.ndarray:
    s = np.asarray(s, float)
    return sum((a * np.sin(2 * math.pi * s / wave + phase) for a, wave, phase in waves), np.zeros_like(s))


def slopes(waves: tuple[Wave, ...], s: ArrayLike) -> np.ndarray:
    """Derivative by ``s`` of a sum of sines: of the heading the curvature (1/m), of the height the grade."""
    s = np.asarray(s, float)
    terms = (2 * math.pi * a / wave * np.cos(2 * math.pi * s / wave + phase) for a, wave, phase in waves)
    return sum(terms, np.zeros_like(s))
