"""Passing somebody slow or stopped: by the next lane of one's own, or by the oncoming one while it is free."""

from __future__ import annotations

import math

from simulation.traffic.paths import Bend, swerve
from simulation.traffic.stage import Claim, Stage
from simulation.traffic.users import Deed, User
from simulation.world.layout import AHEAD_M, BEHIND_M

_STAND_OFF_M = 10.0  # room to swerve out from behind who stands
_BACK = 0.01, 0.2  # chance that somebody on the inner lane thinks of keeping right, and where it is seen


def is_slow(stage: Stage, user: User) -> bool:
    """Whether others do not queue behind ``user``."""
    return user.kind == "cyclist" or stage.t_s < user.halted_until_s


def keep_off(stage: Stage, user: User) -> None:
    """Stop so far behind who halts that there is room to swerve out, unless it is too late for that."""
    leader = user.leader
    if leader is None or leader.role != "driver" or user.deeds or stage.t_s >= leader.halted_until_s:
        return
    room = user.leader_gap_m - _STAND_OFF_M
    if leader.speed_mps == 0.0 and (room > user.speed_mps**2 / 4.0 or user.speed_mps == 0.0):
        user.wall_m = min(user.wall_m, max(room, 0.0))


def let_in(stage: Stage, user: User) -> None:
    """Brake for somebody who passed ``user`` and comes back into the lane beside it, having gained less than meant."""
    for claim in stage.claims:
        other, direction = claim.user, claim.direction
        if other is user or user.along_street != direction or direction * math.sin(other.yaw) > -0.02:
            continue
        ahead = direction * (other.s - user.s) / (0.5 * (other.length_m + user.length_m) + 1.0)
        if -1.0 < ahead < 1.5:
            user.wall_m = 0.0


def consider(stage: Stage, user: User) -> None:
    """Overtake, or change lanes, where ``user`` has a reason to and nobody is in the way."""
    leader, plan = user.leader, stage.plan
    if user.kind in ("cyclist", "truck", "bus") or user.trailer is not None:
        return
    if plan.lanes > 1 and user.lane == 0 and user.role == "driver":
        chance = _BACK[stage.is_seen(user.s)]
        if stage.rng(5, user.number, stage.tick).random() < chance and _change_lane(stage, user, 1):
            return
    if leader is None or leader.role == "walker" or leader.along_street != user.along_street:
        return
    if user.leader_gap_m > 8.0 + 2.0 * user.speed_mps:
        return
    if plan.lanes > 1:
        if is_slow(stage, leader) or leader.want_mps < 0.96 * user.want_mps:
            _change_lane(stage, user, 1 - user.lane)
    elif is_slow(stage, leader) and plan.island_m == 0.0 and user.movement is None:
        _overtake(stage, user, leader)


def _change_lane(stage: Stage, user: User, lane: int) -> bool:
    """Whether there was room for it."""
    direction, speed = user.along_street, user.speed_mps
    lane_d = -direction * stage.plan.lane_d(lane)
    length = max(14.0, 2.8 * speed)
    if user.movement is not None or user.leader_gap_m < 9.0 or stage.to_next_line_m(user) < length + 8.0:
        return False
    for other in stage.drivers():
        if other is user or other.group == user.group or abs(other.d - lane_d) > 1.3 + 0.5 * other.width_m:
            continue
        ahead = direction * (other.s - user.s)
        gap = abs(ahead) - 0.5 * (other.length_m + user.length_m)
        closing = (speed - other.speed_mps) if ahead > 0 else (other.speed_mps - speed)
        if gap < 5.0 + 0.6 * speed + 4.0 * max(0.0, closing):
            return False
    left = direction * (lane_d - user.d)
    _go(user, "vehicle changes lane", (*swerve(length, left),), "left" if left > 0 else "right")
    user.lane = lane
    return True


def _overtake(stage: Stage, user: User, leader: User) -> None:
    direction, gap = user.along_street, user.leader_gap_m
    apart = 0.5 * (user.width_m + leader.width_m) + (0.9 if leader.kind == "cyclist" else 0.6)
    left = apart - direction * (user.d - leader.d)
    speed = user.want_mps
    gain = speed - leader.speed_mps
    if left < 0.3 or gain < 2.5 or gap < max(8.0 - leader.speed_mps, 3.0):
        return
    out = min(max(gap - 0.5, 8.5), 30.0)
    passing, seconds = _pass(user, leader, speed, gap + leader.length_m + user.length_m + 2.0)
    back = 10.0 + 0.5 * speed
    total = max(out, passing) + back
    seconds += (total - passing) / speed
    if seconds > 14.0 or stage.to_next_line_m(user) < total + 12.0 or not _is_free(stage, user, leader, total, seconds):
        return
    before = user.path.at(user.along_m)
    bends = (*swerve(out, left), Bend(max(passing - out, 0.1), 0.0), *swerve(back, -left))
    deed = _go(user, "vehicle overtakes", bends, "left")
    begin = direction * before[0] - 0.5 * user.length_m
    stage.claims.append(Claim(user, direction, begin, begin + user.length_m + total + 6.0, deed.to_m))


def _pass(user: User, leader: User, speed_mps: float, gain_m: float) -> tuple[float, float]:
    """Metres and seconds in which ``user``, speeding up to ``speed_mps``, gains ``gain_m`` on ``leader``."""
    pull, closing = 0.7 * user.manner.pull_mps2, user.speed_mps - leader.speed_mps
    faster_s = max(speed_mps - user.speed_mps, 0.0) / pull
    gained = closing * faster_s + 0.5 * pull * faster_s**2
    if gained < gain_m:
        seconds = faster_s + (gain_m - gained) / (speed_mps - leader.speed_mps)
    else:
        seconds = (math.sqrt(closing**2 + 2.0 * pull * gain_m) - closing) / pull
    return gain_m + leader.speed_mps * seconds, seconds


def _is_free(stage: Stage, user: User, leader: User, total_m: float, seconds: float) -> bool:
    """Whether the oncoming lane, and a place ahead of ``leader``, will be free for so far and so long."""
    direction = user.along_street
    end = user.s + direction * total_m - stage.ego.s
    if not 30.0 - BEHIND_M < end < AHEAD_M - 30.0:  # beyond there others may appear
        return False
    if stage.claimed(1, user.s, user.s + direction * total_m) or stage.claimed(
        -1, user.s, user.s + direction * total_m
    ):
        return False
    beyond = direction * (leader.s - user.s)
    for other in stage.users:
        if other is user or other is leader or other.role == "parked":
            continue
        ahead = direction * (other.s - user.s)
        if other.role == "walker":
            if abs(other.d) < stage.plan.half_road_m and -5.0 < ahead < total_m + 10.0:
                return False
        elif other.along_street == direction:
            if ahead > beyond and ahead - other.length_m + 0.7 * seconds * other.speed_mps < total_m + user.length_m:
                return False
        elif -10.0 < ahead < total_m + max(other.speed_mps, 4.0) * seconds + 6.0 and abs(other.d) < 15.0:
            return False
    return True


def _go(user: User, label: str, bends: tuple[Bend, ...], indicating: str) -> Deed:
    user.path = user.path.then(user.along_m, *bends)
    deed = Deed(label, user.along_m, user.along_m + sum(b.length_m for b in bends), indicating)
    user.deeds.append(deed)
    return deed


def release(stage: Stage) -> None:
    """Give back what those took who are in their lane again."""
    stage.claims = [c for c in stage.claims if c.user.along_m < c.until_m and math.isfinite(c.until_m)]
