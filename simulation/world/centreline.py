"""The line down the middle of the street, by arc length, and the ground beside it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from simulation.world.relief import LEVEL, Relief

_STEP_M = 0.5
_BEFORE_M = 500.0  # the line is known from here before its origin
_AXLE_M, _WHEEL_M = 1.35, 0.75  # what stands on the ground tilts as a car with its wheels this far ahead and aside

Wave = tuple[float, float, float]  # swing, wavelength in metres, phase


def turn(axis: int, angle: ArrayLike) -> np.ndarray:
    """Rotation matrices float64 [...,3,3] about axis 0 (x), 1 (y) or 2 (z) by ``angle`` [...], radians."""
    angle = np.asarray(angle, float)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix


class Centreline:
    """A winding, rolling line: its heading and its height are sums of sines of the way ``s`` along it.

    ``bends``: the sines of the heading, swing in radians; ``hills``: those of the height, swing in metres; ``relief``:
    crown, gutters and waves of the road on top of those. A point of the street is (s, d): ``s`` metres along the line
    as seen from above, ``d`` metres to its left.
    """

    def __init__(self, bends: tuple[Wave, ...], hills: tuple[Wave, ...] = (), relief: Relief = LEVEL) -> None:
        self._bends, self._hills, self.relief = bends, hills, relief
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

    def height(self, s: ArrayLike, d: ArrayLike = 0.0, above_m: ArrayLike = 0.0) -> np.ndarray:
        """z of the ground at (s, d) (metres), or of what is drawn ``above_m`` over the road there; all broadcast.

        Kerbs vary: what is drawn ``KERB_M`` over the road, the top of a kerb, is as high as the kerb is there.
        """
        return _sines(self._hills, s) + self.relief.height(s, d) + self.relief.raised(s, d, above_m)

    def grade(self, s: ArrayLike) -> np.ndarray:
        """Rise of the line per metre at ``s``, the road's unevenness left out."""
        return slopes(self._hills, s)

    def tilt(self, s: ArrayLike, d: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """How a car's wheels stand at (s, d): angles (radians) by which it points up, and by which its left is up."""
        s, d = np.broadcast_arrays(np.asarray(s, float), np.asarray(d, float))
        ahead, aside = np.array([_AXLE_M, -_AXLE_M, 0.0, 0.0]), np.array([0.0, 0.0, _WHEEL_M, -_WHEEL_M])
        front, rear, left, right = np.moveaxis(self.relief.height(s[..., None] + ahead, d[..., None] + aside), -1, 0)
        return np.arctan(self.grade(s) + (front - rear) / (2 * _AXLE_M)), np.arctan((left - right) / (2 * _WHEEL_M))

    def pose(self, s: ArrayLike, d: ArrayLike = 0.0, yaw: ArrayLike = 0.0, above_m: ArrayLike = 0.0) -> np.ndarray:
        """Frames float64 [...,4,4] of things that stand at (s, d), ``above_m`` over the road (see :meth:`height`).

        Their x axes point along the street, turned left by ``yaw``; their z axes are square to the ground. All [...]
        broadcast.
        """
        s, d, yaw, above_m = np.broadcast_arrays(s, d, yaw, above_m)
        rise, lean = self.tilt(s, d)
        poses = np.zeros((*s.shape, 4, 4))
        poses[..., :3, :3] = turn(2, self.heading(s)) @ turn(1, -rise) @ turn(0, lean) @ turn(2, yaw)
        poses[..., :3, 3] = np.stack([*self.at(s, d), self.height(s, d, above_m)], -1)
        poses[..., 3, 3] = 1.0
        return poses

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
