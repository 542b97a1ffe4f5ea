"""Over the road on foot: where, and when."""

from __future__ import annotations

import math

from simulation.traffic.junction import Junction
from simulation.traffic.paths import Bend, quarter
from simulation.traffic.sidewalk import CORNER_M, direction_on, lanes_m
from simulation.traffic.stage import Stage
from simulation.traffic.users import Errand, User
from simulation.world.layout import Crossing

_CLEAR_S = 1.0  # nobody arrives so long after a crossing on the open road


def may_cross(stage: Stage, user: User, errand: Errand) -> bool:
    """Whether the way of ``errand`` is free for as long as it takes."""
    seconds = (errand.end_m - errand.wait_m) / user.want_mps
    junction = errand.junction
    if junction is not None:
        return _may_pass(stage, user, errand, junction, seconds)
    if stage.claims or any(
        o is not user and abs(o.s - user.s) < 1.5 and o.errand is not None and abs(o.d) < abs(user.d) + 3.0
        for o in stage.walkers()
    ):
        return False
    for other in stage.drivers():
        if other.along_street and abs(other.d) < stage.plan.half_road_m + 1.0:
            ahead = other.along_street * (user.s - other.s)
            pace = max(other.speed_mps, 0.6 * other.want_mps)
            over_m = abs(user.d - other.d) + 0.5 * other.width_m + 0.6  # and its lane is free again
            clear_m = (min(over_m / user.want_mps, seconds) + _CLEAR_S) * pace
            if -6.0 < ahead < 8.0 + min(clear_m, _brakes_m(other.speed_mps)):
                return False
    leaving = (o for o in stage.users if o.role == "parked" and o.halted_until_s < stage.t_s + seconds)
    return not any(abs(o.s - user.s) < 25.0 for o in leaving)


def _brakes_m(speed_mps: float) -> float:
    """Within so many metres a driver who sees somebody step on the road stops gently, after a moment."""
    return 1.3 * speed_mps + speed_mps**2 / 3.4


def _may_pass(stage: Stage, user: User, errand: Errand, junction: Junction, seconds: float) -> bool:
    """The same at a crossing: by its lights, and by who is on it or has waited too long."""
    if junction.crossing.signals:
        street = "main" if errand.zebra else "side"
        if junction.signal(street, stage.t_s) != "red" or junction.signal(street, stage.t_s + seconds) != "red":
            return False
    if junction.crossing.signals and junction.is_overdue(errand.squares, stage.t_s):
        return False
    if not junction.is_free(errand.squares, user):
        junction.waiting[user] = errand.squares
        return False
    junction.hold(user, errand.squares)
    return True


def look_for_arm(stage: Stage, user: User) -> None:
    """A side street ahead on this sidewalk has to be crossed."""
    heading = user.along_street
    for junction in stage.junctions.values():
        c = junction.crossing
        if user.side not in c.arms or not heading:
            continue
        half = c.half_width_m + _flare_m(c, abs(user.d) - stage.plan.kerb_m(user.side)) + 0.5
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


def look_for_way_over(stage: Stage, user: User) -> None:
    """Cross at a zebra ahead, or where the road is open and no car is parked on either side."""
    heading = user.along_street
    if not heading or lanes_m(stage, -user.side)[0] <= stage.plan.kerb_m(-user.side):
        return
    for junction in stage.junctions.values():
        c = junction.crossing
        if c.zebra_s is None:
            continue
        right = -user.side * stage.rng(11, user.number).uniform(0.4, 0.9)  # who comes the other way has the other half
        ahead = heading * (c.zebra_s + right - user.s) - CORNER_M
        if 0.1 < ahead < 3.0:
            errand = _lead_over(stage, user, ahead)
            reach = max(stage.plan.kerb_m(1), stage.plan.kerb_m(-1))
            errand.squares = junction.squares((c.zebra_s - 1.3, c.zebra_s + 1.3), (-reach, reach))
            errand.junction, errand.zebra = junction, True
            return
    if is_open(stage, user.s + heading * 2.0):
        _lead_over(stage, user, 2.0 - CORNER_M)


def is_open(stage: Stage, s: float) -> bool:
    """Whether nothing is parked on either side at ``s``, and it is far from crossings, bus stops and works."""
    if stage.plan.island_m or any(abs(s - j.crossing.s) < 18.0 for j in stage.junctions.values()):
        return False
    for layout in stage.layouts.values():
        if any(abs(bay.s - s) < 4.5 for bay in layout.bays):
            return False
        if layout.bus_stop is not None and abs(layout.bus_stop.s - s) < 20.0:
            return False
        if layout.works is not None and layout.works.from_s - 2.0 < s < layout.works.to_s + 2.0:
            return False
    return not any(o.role == "parked" and abs(o.s - s) < 5.5 for o in stage.users)


def _lead_over(stage: Stage, user: User, ahead_m: float) -> Errand:
    """Lead the path of ``user`` over the main street, and on along the other side."""
    heading, side = user.along_street, user.side
    rng = stage.rng(12, user.number, round(user.along_m))
    onward = direction_on(stage, -side, heading if rng.random() < 0.7 else -heading)
    goal_m = lanes_m(stage, -side)[0 if onward > 0 else 1]
    here = user.along_m + ahead_m
    corner, to_left = quarter(CORNER_M, heading * side < 0), onward * side > 0
    straight = abs(user.d) + goal_m - 2 * CORNER_M
    user.path = user.path.then(here, corner, Bend(straight, 0.0), quarter(CORNER_M, to_left))
    over = here + corner.length_m - (CORNER_M - abs(user.d))  # along the path at the centre line
    user.errand = Errand("cross", over - stage.plan.kerb_m(side) - 0.5, over + stage.plan.kerb_m(-side) + 0.2)
    user.side, user.wish_m = -side, math.inf
    return user.errand
