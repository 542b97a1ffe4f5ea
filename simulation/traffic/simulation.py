"""The traffic of a street, stepped on in time."""

from __future__ import annotations

import math

import numpy as np

from simulation.settings import TrafficSettings
from simulation.traffic import drivers, motion, overtaking, parking, walkers
from simulation.traffic.arrivals import Arrivals
from simulation.traffic.kerbside import attend
from simulation.traffic.motion import STEP_S
from simulation.traffic.paths import Path
from simulation.traffic.stage import Stage
from simulation.traffic.users import User, ego_user
from simulation.world.plan import Plan

_EARLIER_S = (14.0, 40.0)  # before the drive begins the street has lived for so long, at least and at most
_ROLLING_MPS = 3.0  # it begins as soon as the ego vehicle is as fast


class Simulation:
    """Everybody's state at ``stage.t_s``; :meth:`step` goes on by ``STEP_S``.

    The drive begins in the middle of life, at ``begin_tick`` of the street's own clock: with things under way already.
    """

    def __init__(self, seed: int, plan: Plan, settings: TrafficSettings) -> None:
        self.stage = Stage(seed, plan, settings)
        want = self.stage.limit_mps * self.stage.rng(0).uniform(0.92, 1.0)
        path = Path(0.0, -plan.lane_d(plan.ego_lane), 0.0)
        self.stage.users.append(ego_user(path, 0.8 * want, want, plan.ego_lane))
        self._arrivals = Arrivals(self.stage)
        self._arrivals.start()
        least, most = (round(x / STEP_S) for x in _EARLIER_S)
        while self.stage.tick < least or (self.stage.ego.speed_mps < _ROLLING_MPS and self.stage.tick < most):
            self.step()
        self.begin_tick = self.stage.tick

    def step(self) -> None:
        """Decide, move, look what came of it."""
        stage = self.stage
        for user in list(stage.users):
            if user.role in ("ego", "driver"):
                drivers.decide(stage, user)
            elif user.role == "walker":
                walkers.decide(stage, user)
            elif user.role == "parked":
                attend(stage, user)
                if stage.t_s >= user.halted_until_s:
                    parking.leave(stage, user)
        _move(stage.users, stage.t_s)
        stage.tick += 1
        stage.t_s = stage.tick * STEP_S
        for user in stage.users:
            _observe(stage, user)
        overtaking.release(stage)
        self._arrivals.step()


def _move(users: list[User], t_s: float) -> None:
    counts = [len(user.path.pieces) for user in users]
    firsts = np.cumsum([0, *counts[:-1]]).tolist()
    table = np.array([user.row(first, count, t_s) for user, first, count in zip(users, firsts, counts, strict=True)])
    motion.step(table, np.concatenate([user.path.pieces for user in users]), STEP_S)
    for user, row in zip(users, table.tolist(), strict=True):
        user.walked_m += row[motion.ALONG] - user.along_m
        user.along_m, user.speed_mps, user.accel_mps2 = row[:3]
        user.s, user.d, user.yaw = row[motion.S], row[motion.D], row[motion.YAW]
        user.leader = users[int(row[motion.LEADER])] if row[motion.LEADER] >= 0 else None
        user.leader_gap_m = row[motion.LEADER_GAP]
    for user in users:
        if user.trailer is not None:  # it follows in the same track
            user.trailer.along_m, user.trailer.speed_mps = user.along_m - user.hitch_m, user.speed_mps
            user.trailer.locate()


def _observe(stage: Stage, user: User) -> None:
    """Record what can be told from how somebody moved, and set its lamps."""
    if user.speed_mps > 0.05:
        user.moved_at_s = stage.t_s
    if user.role in ("walker", "parked", "trailer"):
        return
    _record_braking(stage, user)
    _record_deeds(stage, user)
    user.braking = user.accel_mps2 < -0.7 or (user.speed_mps < 0.3 and user.role != "parked")
    if user.halted_until_s and user.halted_until_s <= stage.t_s:
        stage.log.end("bus halts", user.track_id, stage.t_s)
        stage.log.end("vehicle halts in lane", user.track_id, stage.t_s)
    if len(user.path.pieces) > 6:
        user.path = user.path.since(user.along_m - 5.0)


def _record_braking(stage: Stage, user: User) -> None:
    log, t_s = stage.log, stage.t_s
    if user.accel_mps2 < -1.0:
        user.brakes_since_s = min(user.brakes_since_s, t_s)
        if t_s - user.brakes_since_s >= 0.5:
            log.begin("vehicle brakes", user.track_id, user.brakes_since_s)
    elif user.accel_mps2 > -0.5 or user.speed_mps == 0.0:
        log.end("vehicle brakes", user.track_id, t_s)
        if user.speed_mps > 0.5:
            user.brakes_since_s = math.inf
    if user.speed_mps < 0.05:
        if user.stands_since_s == math.inf and user.brakes_since_s < t_s:
            log.record("vehicle stops", user.track_id, user.brakes_since_s, t_s)
        user.stands_since_s, user.brakes_since_s = min(user.stands_since_s, t_s), math.inf
    elif user.stands_since_s < math.inf:
        if t_s - user.stands_since_s > 1.0 and user.speed_mps < 3.0:
            log.begin("vehicle starts", user.track_id, t_s)
        if user.speed_mps >= 3.0:
            log.end("vehicle starts", user.track_id, t_s)
            user.stands_since_s = math.inf


def _record_deeds(stage: Stage, user: User) -> None:
    if stage.t_s >= user.halted_until_s:
        user.indicating = ""
    for deed in user.deeds:
        if user.along_m >= deed.from_m - max(12.0, 2.5 * user.speed_mps):
            user.indicating = deed.indicating
        if not deed.begun and user.along_m >= deed.from_m:
            deed.begun = True
            stage.log.begin(deed.label, user.track_id, stage.t_s)
        if user.along_m >= deed.to_m:
            stage.log.end(deed.label, user.track_id, stage.t_s)
    user.deeds = [deed for deed in user.deeds if user.along_m < deed.to_m]
