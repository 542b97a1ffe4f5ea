"""What people on foot do just as the ego vehicle comes by.

A drive is short, and most of what people do on a street is rare. So some of it waits, at its place, for its cue.
"""

from __future__ import annotations

import math

import numpy as np

from simulation.traffic import kerb_to_kerb
from simulation.traffic.passers_by import walk
from simulation.traffic.sidewalk import direction_on
from simulation.traffic.stage import Stage
from simulation.traffic.users import Cue
from simulation.world.layout import STRETCH_M, Layout

# Chance per stretch that somebody crosses the open road, and that two meet.
_CROSS = {"city": 0.25, "avenue": 0.3, "country": 0.0}
_MEET = {"city": 0.25, "avenue": 0.25, "country": 0.0}
_ELSEWHERE = 0.22
_CROSSED_M, _MET_M = 50.0, 45.0  # so far before them the ego vehicle is then
_STEPS_M = 6.0  # that people walk before they cross
_PACE_MPS = 1.35


def arrange(stage: Stage, layout: Layout) -> None:
    """Let people wait on a stretch that comes into view for what they will do there."""
    district, share = stage.plan.district, min(stage.settings.pedestrians, 2.0)
    if layout.number * STRETCH_M < stage.ego.s:
        return
    rng = stage.rng(32, layout.number)
    if rng.random() < _CROSS.get(district, _ELSEWHERE) * share:
        _cross(stage, layout.number, rng)
    if rng.random() < _MEET.get(district, _ELSEWHERE) * share:
        _meet(stage, layout.number, rng)


def _cross(stage: Stage, number: int, rng: np.random.Generator) -> None:
    """Somebody crosses before the ego vehicle: from its own side nearer than from the other."""
    side = -1 if rng.random() < 0.7 else 1
    heading = direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
    for part in rng.permutation(9):
        s = (number + 0.1 + 0.1 * int(part)) * STRETCH_M
        if not stage.plan.side(side).sidewalk_m or not kerb_to_kerb.is_open(stage, s):
            continue
        cue = Cue(s, _CROSSED_M, _STEPS_M / _PACE_MPS)
        user = walk(stage, side, heading, s - heading * (_STEPS_M + 2.0), rng, _PACE_MPS, cue)
        if user is not None:
            user.wish_m = _STEPS_M
            return


def _meet(stage: Stage, number: int, rng: np.random.Generator) -> None:
    """Two who know each other come towards each other, where the sidewalk is wide enough for both."""
    s, side = (number + rng.uniform(0.2, 0.8)) * STRETCH_M, 1 if rng.random() < 0.5 else -1
    side = side if direction_on(stage, side, 1) != direction_on(stage, side, -1) else -side
    if not stage.plan.side(side).sidewalk_m or direction_on(stage, side, 1) == direction_on(stage, side, -1):
        return
    apart = rng.uniform(5.0, 8.0)
    for heading in (1, -1):
        user = walk(stage, side, heading, s - heading * apart, rng, _PACE_MPS, Cue(s, _MET_M, apart / _PACE_MPS))
        if user is None:
            return
        user.wish_m = math.inf
