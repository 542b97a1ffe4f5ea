"""The street of one seed at any moment: what stands there, who moves, where the ego vehicle is.

The street is endless. Its stretches are drawn independently of each other, and its traffic is stepped from the start
of the drive, so what a frame shows depends on the seed, the settings and time alone.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from simulation.actors import Actor, Moment
from simulation.rig import LIDAR_TO_VEHICLE
from simulation.scene import Scene, Solid
from simulation.settings import Settings
from simulation.shapes.mesh import join
from simulation.traffic import Crowd, Traffic
from simulation.weather import draw_weather
from simulation.world.centreline import Centreline
from simulation.world.layout import AHEAD_M, BEHIND_M, STRETCH_M
from simulation.world.plan import draw_plan
from simulation.world.stretch import Stretch


class Street:
    """An endless street. Ask for moments in the order of time: traffic is stepped on from one to the next."""

    def __init__(self, seed: int, settings: Settings | None = None) -> None:
        self.seed = seed
        self.settings = settings or Settings()
        self.plan = draw_plan(seed, self.settings.street)
        self.weather = draw_weather(seed, self.settings.weather, self.settings.light)
        self.line = Centreline(self.plan.bends, self.plan.hills, self.plan.relief)
        dark = self.weather.daylight < 0.7 or self.weather.visibility_m < 500.0 or self.weather.rain_mmph > 0.0
        self.traffic = Traffic(seed, self.plan, self.line, self.settings.traffic, lights=dark)
        self._stretch = lru_cache(maxsize=16)(lambda number: Stretch(seed, self.plan, self.line, number).build())
        self._window = lru_cache(maxsize=1)(self._build_window)

    def moment(self, t_s: float) -> Moment:
        """The street around the ego vehicle at ``t_s`` seconds after the start of the drive."""
        return self.around(self.traffic.at(t_s), t_s)

    def around(self, crowd: Crowd, t_s: float) -> Moment:
        """The same where the traffic of ``t_s`` is known already."""
        standing, things = self._window(math.floor(crowd.ego_s / STRETCH_M))
        scene = Scene(standing, [*(a.placed for a in crowd.actors), *crowd.props])
        return Moment(t_s, scene, (*crowd.actors, *things), crowd.ego)

    def lidar_pose(self, t_s: float) -> np.ndarray:
        """LiDAR to street, float64 [4,4]."""
        return self.traffic.ego(t_s) @ LIDAR_TO_VEHICLE

    def _build_window(self, number: int) -> tuple[Solid, tuple[Actor, ...]]:
        """What stands near an ego vehicle that is anywhere in stretch ``number``: built once for all those frames."""
        first = number + math.floor(-BEHIND_M / STRETCH_M)
        last = number + math.ceil(AHEAD_M / STRETCH_M)
        built = [self._stretch(n) for n in range(first, last + 1)]
        x, y, z = self.line.pose(number * STRETCH_M)[:3, 3]
        solid = Solid(join([b.mesh for b in built]), (x, y, z))
        return solid, tuple(thing for b in built for thing in b.things)
