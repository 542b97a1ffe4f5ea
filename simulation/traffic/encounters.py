"""People on a sidewalk who get into each other's way: they talk, or step aside."""

from __future__ import annotations

import math

from simulation.traffic.paths import Bend, quarter
from simulation.traffic.sidewalk import lanes_m
from simulation.traffic.stage import Stage
from simulation.traffic.users import Errand, User

_MEET = 0.1, 0.9  # chance that two who meet stop to talk, and where they are seen


def meet(stage: Stage, user: User) -> None:
    """Stop and talk to somebody who comes the other way."""
    if user.speed_mps < 0.5 or not user.along_street:
        return
    for other in stage.walkers():
        if other.side != user.side or other.errand is not None or other.along_street != -user.along_street:
            continue
        ahead = user.along_street * (other.s - user.s)
        if 2.2 < ahead < 5.0 and abs(other.d - user.d) < 1.6 and other.wish_m > other.along_m + 4.0:
            rng = stage.rng(13, user.number, other.number)
            if rng.random() < _MEET[stage.is_seen(user.s)]:
                length = rng.uniform(2.0, 6.0)
                for one, two in ((user, other), (other, user)):
                    stop = one.along_m + 0.5 * (ahead - 0.85)
                    one.errand = Errand("talk", stop, stop, partner=two, until_s=stage.t_s + 2.0 + length)
            return


def talk(stage: Stage, user: User, errand: Errand) -> None:
    """Stand face to face with who was met, until that is over."""
    user.wall_m = max(errand.wait_m - user.along_m, 0.0)
    partner = errand.partner
    if stage.t_s > errand.until_s or partner not in stage.users:
        stage.log.end("pedestrians meet", user.track_id, stage.t_s)
        user.errand = None
    elif user.speed_mps == 0.0 and partner.speed_mps == 0.0:
        stage.log.begin("pedestrians meet", user.track_id, stage.t_s)
        wanted = math.atan2(partner.d - user.d, partner.s - user.s) - user.yaw
        user.face_yaw += 0.1 * (math.remainder(wanted, 2 * math.pi) - user.face_yaw)


def step_aside(stage: Stage, user: User) -> None:
    """Walk round somebody who stands in the way, where the sidewalk is wide enough."""
    leader = user.leader
    if leader is None or user.speed_mps > 0.1 or leader.speed_mps > 0.1 or not user.along_street:
        return
    lanes = lanes_m(stage, user.side)
    target = user.side * (lanes[0] if abs(abs(user.d) - lanes[1]) < abs(abs(user.d) - lanes[0]) else lanes[1])
    left = user.along_street * (target - user.d)
    beside = any(o is not user and abs(o.d - target) < 0.6 and abs(o.s - user.s) < 1.5 for o in stage.walkers())
    if abs(left) > 0.4 and not beside:
        turns = quarter(0.15, left > 0), Bend(abs(left) - 0.3, 0.0), quarter(0.15, left < 0)
        user.path = user.path.then(user.along_m, *turns)
