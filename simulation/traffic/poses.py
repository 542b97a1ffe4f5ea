"""Frames of many things at once on the winding, rolling street, and the height of the ground that people walk on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from simulation.world.centreline import Centreline
from simulation.world.layout import Crossing
from simulation.world.plan import Plan
from simulation.world.relief import KERB_M

_KERB_RUN_M = 0.3  # a step up is spread over so much way


def street_poses(
    line: Centreline,
    s: np.ndarray,
    d: np.ndarray,
    yaw: np.ndarray,
    above_m: ArrayLike = 0.0,
    pitch: ArrayLike = 0.0,
    roll: ArrayLike = 0.0,
) -> np.ndarray:
    """:meth:`Centreline.pose` of N things, float64 [N,4,4], then nose down by ``pitch`` and over right by ``roll``."""
    poses = np.zeros((len(s), 4, 4))
    rise, lean = line.tilt(s, d)
    poses[:, :3, :3] = _turn(2, line.heading(s)) @ _turn(1, -rise) @ _turn(0, lean) @ _turn(2, yaw)
    if np.any(pitch) or np.any(roll):
        poses[:, :3, :3] = poses[:, :3, :3] @ _turn(1, np.asarray(pitch)) @ _turn(0, np.asarray(roll))
    x, y = line.at(s, d)
    poses[:, 0, 3], poses[:, 1, 3], poses[:, 2, 3], poses[:, 3, 3] = x, y, line.height(s, d, above_m), 1.0
    return poses


def _turn(axis: int, angle: np.ndarray) -> np.ndarray:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix


class Ground:
    """Where pavements are: above the carriageway by the height of the kerb, except across side streets."""

    def __init__(self, plan: Plan, crossings: Sequence[Crossing]) -> None:
        self._kerb_m = {1: plan.half_road_m + plan.left.parking_m, -1: plan.half_road_m + plan.right.parking_m}
        self._crossings = crossings

    def above_m(self, s: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Height over the road of the ground at (s, d): float64 [N] metres."""
        inside = np.abs(d) - np.where(d > 0, self._kerb_m[1], self._kerb_m[-1])
        for crossing in self._crossings:
            on_arm = np.isin(np.sign(d), crossing.arms)
            aside = np.abs(s - crossing.s) - crossing.half_width_m
            inside = np.where(on_arm, np.minimum(inside, aside), inside)
        return KERB_M * np.clip(inside / _KERB_RUN_M + 0.5, 0.0, 1.0)
