"""Who stands at the kerb when a stretch comes into view: in free bays, in the lane to load, at bus stops.

A drive is short, and most of a street is passed in a few seconds. So those who stand here are timed to do what they are
about to do while the ego vehicle comes by, not somewhere beyond its sight.
"""

from __future__ import annotations

import math

import numpy as np

from simulation.traffic import boarding
from simulation.traffic.passers_by import walk
from simulation.traffic.paths import Path
from simulation.traffic.sidewalk import direction_on
from simulation.traffic.stage import BayPair, Stage
from simulation.traffic.users import Cue, User, draw_user
from simulation.world.layout import STRETCH_M, Bay

_BAY_M = 6.0
_LOADS = 0.14  # chance per stretch that somebody stands in the lane to load
_PACE_MPS = 1.3  # of who walks to a car


def fill_bays(stage: Stage, number: int) -> None:
    """Free bays are wanted by who comes, or have a car in which somebody is about to drive away or to get out."""
    bays = {(round(b.s, 3), b.d > 0): b for b in stage.layouts[number].free_bays}
    spent: set[Bay] = set()
    for bay in bays.values():
        direction = 1 if bay.d < 0 else -1
        front = bays.get((round(bay.s + direction * _BAY_M, 3), bay.d > 0))
        if front is None or bay in spent or front in spent:
            continue
        spent |= {bay, front}
        rng = stage.rng(27, number, round(10 * bay.s), direction)
        if rng.random() < 0.45 or not stage.settings.vehicles:
            stage.pairs.append(BayPair(direction, bay, front, wanted=bool(stage.settings.vehicles)))
        elif rng.random() < min(1.0, 0.95 * stage.plan.parked):
            _park(stage, bay, direction, rng)


def _park(stage: Stage, bay: Bay, direction: int, rng: np.random.Generator) -> None:
    path = Path(bay.s, bay.d, 0.0 if direction > 0 else math.pi)
    car = draw_user(stage.number(), "parked", "car", path, 0.0, 0.0, rng)
    car.halted_until_s = math.inf
    if not stage.fits(car, 0.2):
        return
    stage.users.append(car)
    # On the ego vehicle's side one pulls out as near before it as is safe; on the other side it comes nearer meanwhile.
    pulls_out_m = rng.uniform(42.0, 54.0) if direction > 0 else rng.uniform(50.0, 62.0)
    draw = rng.random()
    if stage.settings.pedestrians and stage.plan.side(-direction).sidewalk_m:
        if draw < 0.25:
            car.cue, car.alights = Cue(car.s, rng.uniform(30.0, 45.0)), True
            return
        if draw < 0.6 and _send_to(stage, car, rng):
            return
    car.cue = Cue(car.s, pulls_out_m)


def _send_to(stage: Stage, car: User, rng: np.random.Generator) -> bool:
    """Somebody on the sidewalk will walk to ``car`` as the ego vehicle comes; False where nobody can."""
    side = 1 if car.d > 0 else -1
    heading = direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
    apart = rng.uniform(4.0, 8.0)
    cue = Cue(car.s, 45.0, apart / _PACE_MPS)
    user = walk(stage, side, heading, car.s - heading * apart, rng, _PACE_MPS, cue)
    if user is None:
        return False
    boarding.head_for(user, car)
    return True


def attend(stage: Stage, car: User) -> None:
    """A parked car of which something is expected, once the ego vehicle is near enough."""
    if car.cue is not None and stage.is_due(car.cue):
        car.cue = None
        if car.alights:
            boarding.get_out(stage, car)
        else:
            car.halted_until_s = stage.t_s


def load(stage: Stage, number: int) -> None:
    """A van or truck that stands in the lane for a while."""
    plan, rng = stage.plan, stage.rng(28, number)
    draw, direction, s = rng.random(), 1 if rng.random() < 0.5 else -1, (number + rng.uniform(0.2, 0.8)) * STRETCH_M
    if draw > _LOADS * stage.settings.vehicles or plan.lanes > 1 or plan.island_m or plan.district == "country":
        return
    if abs(s - stage.ego.s) < 40.0 or any(abs(s - j.crossing.s) < 45.0 for j in stage.junctions.values()):
        return
    d = -direction * max(plan.half_road_m - 1.35, plan.lane_d(0))
    path = Path(s, d, 0.0 if direction > 0 else math.pi)
    user = draw_user(
        stage.number(), "driver", "van" if rng.random() < 0.8 else "truck", path, 0.0, 0.9 * stage.limit_mps, rng
    )
    if stage.fits(user, 10.0):
        user.halted_until_s = stage.t_s + _until_passed_s(stage, s, rng)
        user.indicating = "right"
        stage.users.append(user)
        stage.log.begin("vehicle halts in lane", user.track_id, stage.t_s)


def _until_passed_s(stage: Stage, s: float, rng: np.random.Generator) -> float:
    """How long somebody stands at ``s``: about until the ego vehicle has come, but not for ever."""
    return min(max(stage.until_met_s(s, 15.0) + rng.uniform(-1.0, 4.0), 8.0), 26.0)


def call_bus(stage: Stage, number: int) -> None:
    """A bus that stands at its stop."""
    stop, rng = stage.layouts[number].bus_stop, stage.rng(30, number)
    if stop is None or rng.random() > min(1.0, stage.settings.vehicles):
        return
    lane, direction = stage.plan.lanes - 1, -stop.sign
    path = Path(stop.s, -direction * stage.plan.lane_d(lane), 0.0 if direction > 0 else math.pi)
    user = draw_user(stage.number(), "driver", "bus", path, 0.0, 0.88 * stage.limit_mps, rng)
    user.along_m, user.lane = -0.5 * user.length_m - 0.3, lane
    user.locate()
    if stage.is_wide_enough(user) and stage.fits(user, 12.0) and abs(user.s - stage.ego.s) > 40.0:
        user.halted_until_s, user.indicating = stage.t_s + _until_passed_s(stage, user.s, rng), "right"
        stage.users.append(user)
        stage.log.begin("bus halts", user.track_id, stage.t_s)
