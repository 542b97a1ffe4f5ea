"""Into a parked car from the sidewalk, and out of one."""

from __future__ import annotations

import math

from simulation.traffic.paths import Path, quarter
from simulation.traffic.sidewalk import CORNER_M, direction_on, lanes_m
from simulation.traffic.stage import Stage
from simulation.traffic.users import Errand, User, draw_user

_DOOR_M = 0.42  # from a car's side to who stands at its door


def head_for(user: User, car: User) -> None:
    """``user``, walking towards ``car``, will get into it from the sidewalk."""
    side = user.side
    heading = user.along_street
    door = abs(car.d) + 0.5 * car.width_m + _DOOR_M
    here = user.along_m + heading * (car.s - user.s) - CORNER_M
    corner = quarter(CORNER_M, heading * side < 0)
    user.path = user.path.then(here, corner)
    end = here + corner.length_m + max(0.05, abs(user.d) - CORNER_M - door)
    user.errand = Errand("board", here, end, partner=car)
    user.wish_m = math.inf


def board(stage: Stage, user: User, errand: Errand) -> None:
    """Walk up to the door, open it, and be gone; then the car may go."""
    gap = errand.end_m - user.along_m
    user.wall_m = max(gap, 0.0)
    if user.along_m > errand.wait_m:
        stage.log.begin("person enters vehicle", user.track_id, stage.t_s)
    if gap < 0.8 and user.speed_mps == 0.0:
        if errand.until_s == math.inf:
            errand.until_s = stage.t_s + 1.5
        elif stage.t_s > errand.until_s:
            stage.log.end("person enters vehicle", user.track_id, stage.t_s)
            errand.partner.halted_until_s = stage.t_s + stage.rng(14, user.number).uniform(1.5, 4.0)
            stage.remove(user)


def walk_off(stage: Stage, user: User, errand: Errand) -> None:
    """From the car's door to the sidewalk."""
    stage.log.begin("person leaves vehicle", user.track_id, stage.t_s)
    if user.along_m > errand.end_m:
        stage.log.end("person leaves vehicle", user.track_id, stage.t_s)
        user.errand = None


def get_out(stage: Stage, car: User) -> None:
    """Somebody gets out of ``car``, which has just parked, walks to the sidewalk and on."""
    direction = round(math.cos(car.yaw))
    side = -direction
    number = stage.number()
    rng = stage.rng(15, number)
    onward = direction_on(stage, side, 1 if rng.random() < 0.5 else -1)
    lane = lanes_m(stage, side)[0 if onward > 0 else 1]
    start = abs(car.d) + 0.5 * car.width_m + _DOOR_M
    path = Path(car.s, side * start, side * math.pi / 2)
    run = max(0.05, lane - start - CORNER_M)
    path = path.then(run, quarter(CORNER_M, onward * side < 0))
    user = draw_user(number, "walker", "pedestrian", path, 0.0, rng.uniform(1.1, 1.5), rng)
    user.side = side
    stage.users.append(user)
    end = run + 0.5 * math.pi * CORNER_M
    user.errand = Errand("leave", 0.0, end)
