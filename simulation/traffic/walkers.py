"""What pedestrians decide: when to go, when to wait, and what to turn to next."""

from __future__ import annotations

import math

from simulation.traffic import boarding, encounters, kerb_to_kerb
from simulation.traffic.stage import Stage
from simulation.traffic.users import Errand, User

_BLOCKED_S, _SQUEEZE_S = 3.0, 2.5  # who has been in others' way so long slips past them, and takes so long for it


def decide(stage: Stage, user: User) -> None:
    """Set the wall before which ``user`` has to stop, and begin or end what it does."""
    if user.cue is not None:
        user.wall_m = 0.0
        if not stage.is_due(user.cue):
            return
        user.cue = None
    user.wall_m = math.inf
    if user.errand is None:
        kerb_to_kerb.look_for_arm(stage, user)
        if user.errand is None and user.along_m > user.wish_m:
            kerb_to_kerb.look_for_way_over(stage, user)
        if user.errand is None and (stage.tick + user.number) % 10 == 0:
            encounters.meet(stage, user)
            encounters.step_aside(stage, user)
    if user.errand is not None:
        _pursue(stage, user, user.errand)
    _squeeze(stage, user)


def _pursue(stage: Stage, user: User, errand: Errand) -> None:
    if errand.task == "talk":
        encounters.talk(stage, user, errand)
    elif errand.task == "board":
        boarding.board(stage, user, errand)
    elif errand.task == "leave":
        boarding.walk_off(stage, user, errand)
    else:
        _cross(stage, user, errand)


def _cross(stage: Stage, user: User, errand: Errand) -> None:
    log, t_s = stage.log, stage.t_s
    if user.along_m > errand.end_m:
        log.end("pedestrian crosses", user.track_id, t_s)
        if errand.junction is not None:
            errand.junction.forget(user)
        user.errand = None
        return
    if errand.entered:
        if user.along_m > errand.wait_m and errand.task == "cross":
            log.begin("pedestrian crosses", user.track_id, t_s)
        return
    gap = errand.wait_m - user.along_m
    user.wall_m = max(gap, 0.0)
    if gap < 1.0 and kerb_to_kerb.may_cross(stage, user, errand):
        errand.entered, user.wall_m = True, math.inf
        log.end("pedestrian waits", user.track_id, t_s)
    elif gap < 0.4 and user.speed_mps == 0.0:
        log.begin("pedestrian waits", user.track_id, t_s)


def _squeeze(stage: Stage, user: User) -> None:
    """People turn a shoulder and slip past each other before they stand in each other's way for ever."""
    queues = user.errand is not None and not user.errand.entered
    if user.speed_mps > 0.05 or user.wall_m < 0.3 or queues:
        user.blocked_since_s = math.inf
    elif user.blocked_since_s == math.inf:
        user.blocked_since_s = stage.t_s
    elif stage.t_s - user.blocked_since_s > _BLOCKED_S:
        user.squeezes_until_s = stage.t_s + _SQUEEZE_S
