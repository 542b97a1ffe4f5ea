"""What pedestrians decide: where to cross, whom to stop for, which car to get into."""

from __future__ import annotations

import math

from simulation.traffic.paths import Bend, Path, quarter
from simulation.traffic.stage import Stage
from simulation.traffic.users import Errand, User, draw_user
from simulation.world.layout import Crossing

_CORNER_M = 0.6  # radius of a pedestrian's turn
_DOOR_M = 0.42  # from a car's side to who stands at its door
_CLEAR_S = 1.0  # nobody arrives so long after a crossing on the open road
_MEET = 0.3  # chance that two who meet stop to talk


def lanes_m(stage: Stage, side: int) -> tuple[float, float]:
    """Distances from the centre line at which people walk along +s, and along -s; equal where there is no room."""
    land = stage.side(side)
    inner = stage.kerb_m(side) + land.verge_m
    wide = land.sidewalk_m
    near, far = (inner + 0.42 * wide, inner + 0.72 * wide) if wide >= 2.4 else (inner + 0.55 * wide,) * 2
    return (near, far) if side < 0 else (far, near)


def direction_on(stage: Stage, side: int, wish: int) -> int:
    """Narrow sidewalks are walked in one direction only."""
    plus, minus = lanes_m(stage, side)
    return wish if plus != minus else -side


def decide(stage: Stage, user: User) -> None:
    """Set the wall before which ``user`` has to stop, and begin or end what it does."""
    user.wall_m = math.inf
    if user.errand is None:
        _look_for_arm(stage, user)
        if user.errand is None and user.along_m > user.wish_m:
            _look_for_way_over(stage, user)
        if user.errand is None and (stage.tick + user.number) % 10 == 0:
            _meet(stage, user)
            _step_aside(stage, user)
    if user.errand is not None:
        _pursue(stage, user, user.errand)


def _pursue(stage: Stage, user: User, errand: Errand) -> None:
    log, t_s = stage.log, stage.t_s
    if errand.task == "talk":
        _talk(stage, user, errand)
        return
    if errand.task == "board":
        _board(stage, user, errand)
        return
    if errand.task == "leave":
        _leave(stage, user, errand)
        return
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
    if gap < 1.0 and _may_cross(stage, user, errand):
        errand.entered, user.wall_m = True, math.inf
        log.end("pedestrian waits", user.track_id, t_s)
    elif gap < 0.4 and user.speed_mps == 0.0:
        log.begin("pedestrian waits", user.track_id, t_s)


def _may_cross(stage: Stage, user: User, errand: Errand) -> bool:
    seconds = (errand.end_m - errand.wait_m) / user.want_mps
    junction = errand.junction
    if junction is not None:
        if junction.crossing.signals:
            street = "main" if errand.zebra else "side"
            if junction.signal(street, stage.t_s) != "red" or junction.signal(street, stage.t_s + seconds) != "red":
                return False
        if not junction.is_free(errand.squares, user):
            junction.waiting[user] = errand.squares
            return False
        junction.hold(user, errand.squares)
        return True
    if stage.claims or any(
        o is not user and abs(o.s - user.s) < 1.5 and o.errand is not None and abs(o.d) < abs(user.d) + 3.0
        for o in stage.walkers()
    ):
        return False
    for other in stage.drivers():
        if other.along_street and abs(other.d) < stage.plan.half_road_m + 1.0:
            ahead = other.along_street * (user.s - other.s)
            pace = max(other.speed_mps, 0.6 * other.want_mps)
            if -6.0 < ahead < 8.0 + (seconds + _CLEAR_S) * pace:
                return False
    leaving = (o for o in stage.users if o.role == "parked" and o.halted_until_s < stage.t_s + seconds)
    return not any(abs(o.s - user.s) < 25.0 for o in leaving)


def _look_for_arm(stage: Stage, user: User) -> None:
    """A side street ahead on this sidewalk has to be crossed."""
    heading = user.along_street
    for junction in stage.junctions.values():
        c = junction.crossing
        if user.side not in c.arms or not heading:
            continue
        half = c.half_width_m + _flare_m(c, abs(user.d) - stage.kerb_m(user.side)) + 0.5
        ahead = heading * (c.s - user.s)
        if half < ahead < half + 2.5:
            wait, end = user.along_m + ahead - half, user.along_m + ahead + half
            low, high = sorted((user.d - 0.7, user.d + 0.7))
            squares = junction.squares((c.s - half + 0.4, c.s + half - 0.4), (low, high))
            user.errand = Errand("arm", wait, end, junction, squares)
            return


def _flare_m(crossing: Crossing, from_kerb_m: float) -> float:
    """How much wider than itself a side street is so far behind the main street's kerb: its corners are round."""
    radius, x = crossing.corner_m, max(from_kerb_m, 0.0)
    return radius - math.sqrt(radius**2 - (radius - x) ** 2) if x < radius else 0.0


def _look_for_way_over(stage: Stage, user: User) -> None:
    """Cross at a zebra ahead, or where the road is open and no car is parked on either side."""
    heading = user.along_street
    if not heading or lanes_m(stage, -user.side)[0] <= stage.kerb_m(-user.side):
        return
    for junction in stage.junctions.values():
        c = junction.crossing
        if c.zebra_s is None:
            continue
        right = -user.side * stage.rng(11, user.number).uniform(0.4, 0.9)  # who comes the other way has the other half
        ahead = heading * (c.zebra_s + right - user.s) - _CORNER_M
        if 0.1 < ahead < 3.0:
            errand = _lead_over(stage, user, ahead)
            reach = stage.plan.half_road_m + max(stage.plan.left.parking_m, stage.plan.right.parking_m)
            errand.squares = junction.squares((c.zebra_s - 1.3, c.zebra_s + 1.3), (-reach, reach))
            errand.junction, errand.zebra = junction, True
            return
    if _is_open(stage, user.s + heading * 2.0):
        _lead_over(stage, user, 2.0 - _CORNER_M)


def _is_open(stage: Stage, s: float) -> bool:
    """Whether nothing is parked on either side at ``s``, and it is far from crossings, bus stops and works."""
    if stage.plan.island_m or any(abs(s - j.crossing.s) < 25.0 for j in stage.junctions.values()):
        return False
    for layout in stage.layouts.values():
        if any(abs(bay.s - s) < 4.5 for bay in (*layout.bays, *layout.free_bays)):
            return False
        if layout.bus_stop is not None and abs(layout.bus_stop.s - s) < 20.0:
            return False
        if layout.works is not None and layout.works.from_s - 2.0 < s < layout.works.to_s + 2.0:
            return False
    return not stage.side(1).parking_m and not stage.side(-1).parking_m


def _lead_over(stage: Stage, user: User, ahead_m: float) -> Errand:
    """Lead the path of ``user`` over the main street, and on along the other side."""
    heading, side = user.along_street, user.side
    rng = stage.rng(12, user.number, round(user.along_m))
    onward = direction_on(stage, -side, heading if rng.random() < 0.7 else -heading)
    goal_m = lanes_m(stage, -side)[0 if onward > 0 else 1]
    here = user.along_m + ahead_m
    corner, to_left = quarter(_CORNER_M, heading * side < 0), onward * side > 0
    straight = abs(user.d) + goal_m - 2 * _CORNER_M
    user.path = user.path.then(here, corner, Bend(straight, 0.0), quarter(_CORNER_M, to_left))
    over = here + corner.length_m - (_CORNER_M - abs(user.d))  # along the path at the centre line
    user.errand = Errand("cross", over - stage.kerb_m(side) - 0.5, over + stage.kerb_m(-side) + 0.2)
    user.side, user.wish_m = -side, math.inf
    return user.errand


def _meet(stage: Stage, user: User) -> None:
    """Stop and talk to somebody who comes the other way."""
    if user.speed_mps < 0.5 or not user.along_street:
        return
    for other in stage.walkers():
        if other.side != user.side or other.errand is not None or other.along_street != -user.along_street:
            continue
        ahead = user.along_street * (other.s - user.s)
        if 2.2 < ahead < 5.0 and abs(other.d - user.d) < 1.6 and other.wish_m > other.along_m + 4.0:
            rng = stage.rng(13, user.number, other.number)
            if rng.random() < _MEET:
                length = rng.uniform(5.0, 12.0)
                for one, two in ((user, other), (other, user)):
                    stop = one.along_m + 0.5 * (ahead - 0.85)
                    one.errand = Errand("talk", stop, stop, partner=two, until_s=stage.t_s + 3.0 + length)
            return


def _talk(stage: Stage, user: User, errand: Errand) -> None:
    user.wall_m = max(errand.wait_m - user.along_m, 0.0)
    partner = errand.partner
    if stage.t_s > errand.until_s or partner not in stage.users:
        stage.log.end("pedestrians meet", user.track_id, stage.t_s)
        user.errand = None
    elif user.speed_mps == 0.0 and partner.speed_mps == 0.0:
        stage.log.begin("pedestrians meet", user.track_id, stage.t_s)
        wanted = math.atan2(partner.d - user.d, partner.s - user.s) - user.yaw
        user.face_yaw += 0.1 * (math.remainder(wanted, 2 * math.pi) - user.face_yaw)


def _step_aside(stage: Stage, user: User) -> None:
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


def board(stage: Stage, user: User, car: User) -> None:
    """``user``, walking towards ``car``, will get into it from the sidewalk."""
    side = user.side
    heading = user.along_street
    door = abs(car.d) + 0.5 * car.width_m + _DOOR_M
    here = user.along_m + heading * (car.s - user.s) - _CORNER_M
    corner = quarter(_CORNER_M, heading * side < 0)
    user.path = user.path.then(here, corner)
    end = here + corner.length_m + max(0.05, abs(user.d) - _CORNER_M - door)
    user.errand = Errand("board", here, end, partner=car)
    user.wish_m = math.inf


def _board(stage: Stage, user: User, errand: Errand) -> None:
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


def _leave(stage: Stage, user: User, errand: Errand) -> None:
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
    run = max(0.05, lane - start - _CORNER_M)
    path = path.then(run, quarter(_CORNER_M, onward * side < 0))
    user = draw_user(number, "walker", "pedestrian", path, 0.0, rng.uniform(1.1, 1.5), rng)
    user.side = side
    stage.users.append(user)
    end = run + 0.5 * math.pi * _CORNER_M
    user.errand = Errand("leave", 0.0, end)
