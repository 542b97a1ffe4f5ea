"""Ways through the street: chains of straight lines and circular arcs in (s, d), the last of which never ends."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np


class Bend(NamedTuple):
    """A piece of a path: ``curvature`` in 1/m, positive to the left, 0 straight on."""

    length_m: float
    curvature: float


class Path:
    """A way by its length. ``pieces`` float64 [P,5]: where each begins along the way, its s, d, yaw, and curvature."""

    __slots__ = ("pieces",)

    def __init__(self, s: float, d: float, yaw: float) -> None:
        self.pieces = np.array([[0.0, s, d, yaw, 0.0]])

    def at(self, along_m: float) -> tuple[float, float, float]:
        """s, d and yaw ``along_m`` metres from the beginning."""
        return locate(self.pieces, 0, len(self.pieces), along_m)

    def then(self, along_m: float, *bends: Bend) -> Path:
        """The same as far as ``along_m``; from there ``bends``, and straight on."""
        kept = self.pieces[self.pieces[:, 0] <= along_m]
        path, rows = Path(0.0, 0.0, 0.0), [*kept]
        for bend in (*bends, Bend(math.inf, 0.0)):
            s, d, yaw = locate(np.array(rows), 0, len(rows), along_m)
            rows.append(np.array([along_m, s, d, yaw, bend.curvature]))
            along_m += bend.length_m
        path.pieces = np.array(rows)
        return path

    def since(self, along_m: float) -> Path:
        """The same without the pieces that end before ``along_m``, so that a path does not grow for ever."""
        path = Path(0.0, 0.0, 0.0)
        first = max(0, int(np.searchsorted(self.pieces[:, 0], along_m, side="right")) - 1)
        path.pieces = self.pieces[first:]
        return path


def swerve(ahead_m: float, left_m: float) -> tuple[Bend, Bend]:
    """Two arcs that shift a way by ``left_m`` (not 0) within ``ahead_m`` and leave its direction as it was."""
    angle = 2.0 * math.atan2(left_m, ahead_m)
    curvature = 2.0 * math.sin(angle) / ahead_m
    length = angle / curvature
    return Bend(length, curvature), Bend(length, -curvature)


def quarter(radius_m: float, left: bool) -> Bend:
    """A quarter of a circle."""
    return Bend(0.5 * math.pi * radius_m, (1.0 if left else -1.0) / radius_m)


@numba.njit(cache=True)
def locate(pieces, first, count, along):  # pragma: no cover - compiled
    """s, d, yaw at ``along`` of the path in rows ``first``.. of ``pieces``."""
    k = first + count - 1
    while k > first and pieces[k, 0] > along:
        k -= 1
    x, s, d, yaw, curvature = along - pieces[k, 0], pieces[k, 1], pieces[k, 2], pieces[k, 3], pieces[k, 4]
    if curvature == 0.0:
        return s + x * np.cos(yaw), d + x * np.sin(yaw), yaw
    turned = yaw + curvature * x
    return s + (np.sin(turned) - np.sin(yaw)) / curvature, d - (np.cos(turned) - np.cos(yaw)) / curvature, turned
