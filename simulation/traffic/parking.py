"""Into a bay, and out of one, with the people who get out and in."""

from __future__ import annotations

import math

from simulation.traffic import boarding
from simulation.traffic.paths import swerve
from simulation.traffic.stage import Stage
from simulation.traffic.users import Deed, User

_IN_M, _OUT_M = 12.0, 11.0  # of street that it takes
_CHANCE = 0.9


def consider(stage: Stage, user: User) -> None:
    """Head for a free bay ahead now and then."""
    outer = stage.plan.lanes - 1
    if user.role != "driver" or user.kind not in ("car", "van") or user.length_m > 5.2 or user.lane != outer:
        return
    if user.deeds or user.movement is not None or user.trailer is not None:
        return
    direction = user.along_street
    for pair in stage.pairs:
        ahead = direction * (pair.front.s - user.s)
        if not pair.wanted or pair.direction != direction or not 16.0 < ahead - _IN_M < 45.0:
            continue
        if stage.to_next_line_m(user) < ahead + 5.0:
            continue  # there is a crossing to be passed first
        begins_s = (ahead - _IN_M) / max(user.speed_mps, 3.0)
        if not (stage.is_seen(pair.front.s) or stage.will_be_seen(pair.front.s, begins_s)):
            continue
        if stage.rng(3, user.number, round(pair.front.s)).random() > _CHANCE or _rider_beside(stage, user, ahead):
            continue
        pair.wanted = False
        bends = swerve(_IN_M, direction * (pair.front.d - user.d))
        begin = user.along_m + ahead - _IN_M
        user.path = user.path.then(begin, *bends)
        user.park_m = begin + sum(b.length_m for b in bends)
        user.deeds.append(Deed("vehicle parks", begin, math.inf, "right"))
        return


def arrive(stage: Stage, user: User) -> None:
    """Stop in the bay; once it stands there, it is parked, and somebody gets out."""
    gap = user.park_m - user.along_m
    user.wall_m = min(user.wall_m, max(gap, 0.0))
    if user.speed_mps == 0.0 and gap < 0.5:
        stage.log.end("vehicle parks", user.track_id, stage.t_s)
        user.role, user.deeds, user.park_m, user.want_mps = "parked", [], math.inf, 0.0
        user.halted_until_s, user.indicating, user.braking, user.wall_m = math.inf, "", False, math.inf
        if stage.settings.pedestrians:
            boarding.get_out(stage, user)


def leave(stage: Stage, user: User) -> None:
    """Pull out of the bay if the lane is free: a parked vehicle whose time has come."""
    direction = user.along_street
    lane = stage.plan.lanes - 1
    lane_d = -direction * stage.plan.lane_d(lane)
    if stage.to_next_line_m(user) < _OUT_M + 8.0 or _is_shut_in(stage, user):
        return
    user.indicating = "left"
    if stage.claimed(-direction, user.s - direction * 10.0, user.s + direction * 40.0):
        return
    for other in stage.users:
        if other is user or other.role == "parked" or abs(other.d) > stage.plan.kerb_m(-direction):
            continue
        ahead = direction * (other.s - user.s)
        behind = 10.0 + 2.6 * (other.speed_mps if other.along_street == direction else 0.0)
        same_half = (
            abs(other.d - lane_d) < 0.6 * stage.plan.lane_m + 0.5 * other.width_m - 0.9 or abs(other.d - user.d) < 2.0
        )
        if same_half and -behind < ahead < _OUT_M + 8.0:
            return
    left = direction * (lane_d - user.d)
    bends = swerve(_OUT_M, left)
    user.path = user.path.then(user.along_m, *bends)
    user.deeds = [Deed("vehicle pulls out", user.along_m, user.along_m + sum(b.length_m for b in bends), "left")]
    user.role, user.lane, user.halted_until_s = "driver", lane, 0.0
    user.want_mps = stage.limit_mps * stage.rng(4, user.number).uniform(0.85, 1.05)


def _is_shut_in(stage: Stage, user: User) -> bool:
    """Whether somebody stands in the bay ahead."""
    direction = user.along_street
    return any(
        o.role == "parked" and abs(o.d - user.d) < 1.5 and 0.0 < direction * (o.s - user.s) < 0.5 * o.length_m + _OUT_M
        for o in stage.users
    )


def _rider_beside(stage: Stage, user: User, ahead_m: float) -> bool:
    """Whether a cyclist might be cut off."""
    direction = user.along_street
    return any(
        o.kind == "cyclist" and o.along_street == direction and -15.0 < direction * (o.s - user.s) < ahead_m
        for o in stage.drivers()
    )
