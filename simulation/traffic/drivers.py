"""What drivers and riders decide: when to pass a crossing, which way, and where to halt."""

from __future__ import annotations

import math

from simulation.traffic import overtaking, parking
from simulation.traffic.junction import Junction, Movement, Way, has_left, to_line_m
from simulation.traffic.stage import Stage
from simulation.traffic.users import Deed, User

_LOOK_M = 45.0  # so far ahead a crossing is thought about
_COMMIT_MPS2 = 2.2  # who would have to brake harder goes on
_THINK_TICKS = 5
_TURN = 0.1, 0.9  # share of those who turn where they could, and where they will be seen
_HOLDS_UP = 0.3  # share of those, before the ego vehicle, who do so although it may have to wait for them


def decide(stage: Stage, user: User) -> None:
    """Set the wall before which ``user`` has to stop, and begin what it wants to do."""
    user.wall_m = min(_crossing_wall(stage, user), stage.to_claim_m(user))
    if user.park_m < math.inf:
        parking.arrive(stage, user)
    elif (stage.tick + user.number) % _THINK_TICKS == 0 and user.along_street and not user.deeds:
        overtaking.consider(stage, user)
        parking.consider(stage, user)
    overtaking.keep_off(stage, user)
    overtaking.let_in(stage, user)
    _halt_at_stop(stage, user)
    if stage.t_s < user.halted_until_s:
        user.wall_m = 0.0


def _crossing_wall(stage: Stage, user: User) -> float:
    """From the front to the line of the crossing ahead, inf where it may be passed or is far."""
    movement = user.movement
    if movement is None:
        movement = _look_ahead(stage, user)
        if movement is None:
            return math.inf
    junction = movement.junction
    if movement.entered:
        if has_left(user, movement):
            junction.forget(user)
            user.movement = None
        return math.inf
    gap, speed = to_line_m(user, movement), user.speed_mps
    if gap > speed * speed / 2.0 + 12.0:
        return math.inf
    if speed < 0.2 and gap < 3.0:
        movement.waits_since_s = min(movement.waits_since_s, stage.t_s)
    if not _has_room(stage, user, movement):
        junction.calm(user)
    elif junction.may_enter(user, movement, stage.t_s):
        if gap < speed * speed / (2.0 * _COMMIT_MPS2) + 1.5:
            junction.enter(user, movement)
        return math.inf
    return gap


def _look_ahead(stage: Stage, user: User) -> Movement | None:
    """The movement through the next crossing of the main street, once that is near and nothing else is going on."""
    direction = user.along_street
    if not direction or user.park_m < math.inf or any(deed.label == "vehicle parks" for deed in user.deeds):
        return None
    nearest, gap = None, _LOOK_M
    for junction in stage.junctions.values():
        ways = junction.ways("main", direction, user.lane)
        to_line = direction * (junction.crossing.stop_s[0 if direction > 0 else 1] - user.s) - 0.5 * user.length_m
        if -1.0 < to_line < gap:
            nearest, gap = (junction, ways), to_line
    if nearest is None:
        return None
    junction, ways = nearest
    return approach(stage, user, junction, _choose(stage, user, junction, ways))


def _choose(stage: Stage, user: User, junction: Junction, ways: list[Way]) -> Way:
    rng = stage.rng(1, user.number, junction.number)
    small = user.role == "driver" and user.kind in ("car", "van", "motorcyclist", "cyclist") and user.trailer is None
    turns = ways[1:]
    to_line_m = user.along_street * (junction.crossing.stop_s[0 if user.along_street > 0 else 1] - user.s)
    seen = stage.will_be_seen(junction.crossing.s, to_line_m / max(user.speed_mps, 3.0))
    if not small or not turns or user.deeds or rng.random() > _TURN[seen]:
        return ways[0]
    way = turns[int(rng.integers(len(turns)))]
    slow = user.along_street > 0 and way.turn == "left" and stage.plan.lanes == 1
    return ways[0] if slow and rng.random() > _HOLDS_UP else way


def approach(stage: Stage, user: User, junction: Junction, way: Way) -> Movement:
    """``user`` will pass ``junction`` this ``way``: its path leads there."""
    movement = user.movement = junction.movement(way)
    junction.coming[user] = movement
    if way.turn:
        goal_d = -way.to_direction * stage.plan.lane_d(way.lane)
        if user.kind == "cyclist":
            goal_d = stage.cycling_d(-way.to_direction)
        user.path, begin, end = junction.route(way, user.path, user.along_m, goal_d)
        label = "cyclist turns" if user.kind == "cyclist" else f"vehicle turns {way.turn}"
        user.deeds.append(Deed(label, begin, end, way.turn))
        if way.to_street == "main":
            user.lane = way.lane
    return movement


def _has_room(stage: Stage, user: User, movement: Movement) -> bool:
    """Whether ``user`` could stop behind the crossing without standing on it."""
    way, junction = movement.way, movement.junction
    if way.to_street == "side":
        return True
    far, room = junction.far_m(way), math.inf
    lane_d = -way.to_direction * stage.plan.lane_d(way.lane)
    for other in stage.users:
        if other is user or other.role in ("walker", "parked") or abs(other.d - lane_d) > 1.6 + 0.5 * other.width_m:
            continue
        tail = way.to_direction * other.s - 0.5 * other.length_m - far
        held = junction.inside.get(other)
        if held is not None:
            if held.way is not None and (held.way.to_street, held.way.to_direction) == ("main", way.to_direction):
                room -= 0.0 if room == math.inf else other.length_m + 2.0
        elif tail > -1.0:
            room = min(room, tail + other.speed_mps**2 / 4.0)
    for claim in stage.claims:
        if claim.direction == -way.to_direction and way.lane == 0 and -claim.to_m > far - 5.0:
            room = min(room, -claim.to_m - far)
    queue = sum(
        other.length_m + 2.0
        for other, held in junction.inside.items()
        if other is not user and held.way is not None and held.way[2:4] == way[2:4]
    )
    return room - queue > user.length_m + 2.5 if room < math.inf else True


def _halt_at_stop(stage: Stage, user: User) -> None:
    """Buses halt at each stop that they come to."""
    if user.kind != "bus" or user.halted_until_s:
        return
    direction = user.along_street
    for layout in stage.layouts.values():
        stop = layout.bus_stop
        if stop is None or stop.sign != -direction:
            continue
        gap = direction * (stop.s - user.s) - 0.5 * user.length_m
        if -0.5 < gap < 40.0:
            user.wall_m = min(user.wall_m, max(gap, 0.0))
            if gap < 0.6 and user.speed_mps < 0.1:
                rng = stage.rng(2, user.number)
                user.halted_until_s = stage.t_s + rng.uniform(8.0, 14.0)
                user.indicating = "right"
                stage.log.begin("bus halts", user.track_id, stage.t_s)
