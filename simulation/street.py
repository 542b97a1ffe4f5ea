"""The street of one seed, at any time: the road and what stands there, who moves, where the ego vehicle is.

The street is endless and its stretches are drawn independently, so what a frame shows depends on the seed and on time
alone.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from simulation.centreline import Centreline
from simulation.mesh import join
from simulation.plan import draw_plan
from simulation.scene import Scene, Solid
from simulation.stretch import STRETCH_M, Stretch
from simulation.traffic import Traffic, ego_s

BEHIND_M, AHEAD_M = 100.0, 160.0  # what is built around the ego vehicle


class Street:
    """An endless street."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.plan = draw_plan(seed)
        self.line = Centreline(self.plan.bends)
        self.traffic = Traffic(seed, self.plan, self.line)
        self._stretch = lru_cache(maxsize=16)(lambda number: Stretch(seed, self.plan, self.line, number).build())
        self._window = lru_cache(maxsize=1)(self._build_window)

    def scene(self, t_s: float, pose: np.ndarray) -> Scene:
        """Everything near the ego vehicle at ``t_s``, seen from a sensor at ``pose`` (sensor to street)."""
        here = ego_s(self.plan, t_s)
        users = list(self.traffic.between(here - BEHIND_M, here + AHEAD_M, t_s))
        return Scene(self._window(math.floor(here / STRETCH_M)), join(users), pose)

    def _build_window(self, number: int) -> Solid:
        """What stands near an ego vehicle that is anywhere in stretch ``number``: built once for all those frames."""
        first = number + math.floor(-BEHIND_M / STRETCH_M)
        last = number + math.ceil(AHEAD_M / STRETCH_M)
        origin = np.array([*map(float, self.line.at(number * STRETCH_M)), 0.0])
        return Solid(join([self._stretch(n) for n in range(first, last + 1)]), origin)

    def ego(self, t_s: float) -> np.ndarray:
        """Pose [4,4] of the ego vehicle's ground point, vehicle to street. It sways and pitches a little."""
        s = ego_s(self.plan, t_s)
        x, y = self.line.at(s, 0.12 * math.sin(0.5 * t_s) - self.plan.lane_d(self.plan.ego_lane))
        pitch, roll = 0.004 * math.sin(2.1 * t_s), 0.003 * math.sin(1.3 * t_s + 1.0)
        pose = np.eye(4)
        pose[:3, :3] = _turn(2, float(self.line.heading(s))) @ _turn(1, pitch) @ _turn(0, roll)
        pose[:3, 3] = x, y, 0.015 * math.sin(3.0 * t_s)
        return pose


def _turn(axis: int, angle: float) -> np.ndarray:
    """Rotation matrix [3,3] about axis 0 (x), 1 (y) or 2 (z)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = math.cos(angle)
    turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
    return turn
