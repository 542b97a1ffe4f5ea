"""Who comes along the lanes of the main street."""

from __future__ import annotations

import math

import numpy as np

from simulation.actors import Kind
from simulation.traffic.kinds import CYCLISTS, MAIN, draw_kind
from simulation.traffic.paths import Path
from simulation.traffic.stage import Stage
from simulation.traffic.users import User, draw_user
from simulation.world.layout import AHEAD_M, BEHIND_M

_SPACING = 1.1  # times the plan's
_FILLED = 0.6, 0.25  # of the places along a lane at the start; fewer come towards the ego vehicle by chance ...
_SLOW = ("cyclist", "truck", "bus")
_SPARED = 0.6  # share of those that the ego vehicle does not get ahead of itself where it could not pass
_TOWS = 0.04  # share of cars with a trailer
_RARER = 1.7  # ... because others are called
_CALLED_M = 54.0  # somebody is called to be at a place when the ego vehicle is so far before it
_MEETS_S = 15.0, 17.0, 19.0, 21.0, 23.0, 13.0  # after the street has begun to live, a car comes up behind a cyclist
_RIDES = 0.3  # share of those who are called that ride
_RIDERS = 0.1  # share of places at the start that somebody has who would not have come otherwise


class Lanes:
    """Fills the lanes, and feeds them where their traffic appears."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._quiet_s = 0.0  # nobody comes towards the ego vehicle before that: somebody overtakes
        self._called: set[float] = set()  # places for which somebody has been called
        self._next: dict[tuple[int, int, int], float] = {}  # the gap at each end of each lane before somebody enters

    def fill(self) -> None:
        """Everybody who is there at the beginning."""
        stage, ego_s = self._stage, self._stage.ego.s
        pitch = _SPACING * stage.plan.traffic_m / max(stage.settings.vehicles, 0.05)
        for lane in range(stage.plan.lanes):
            for direction in (1, -1):
                for slot in range(int((BEHIND_M + AHEAD_M - 10.0) / pitch) + 1):
                    rng = stage.rng(21, lane, direction, slot)
                    s = ego_s - BEHIND_M + 5.0 + (slot + rng.uniform(0.1, 0.9)) * pitch
                    riding = stage.settings.cyclists > 0 and rng.random() < _RIDERS * stage.settings.cyclists
                    taken = rng.random() < _FILLED[direction < 0] * min(1.0, stage.settings.vehicles) or riding
                    if taken and s < ego_s + AHEAD_M - 5.0:
                        self._enter(lane, direction, s, full_speed=True)

    def queue(self) -> None:
        """A car ahead of the ego vehicle, and somebody on a cycle ahead of that, to be overtaken soon."""
        stage = self._stage
        if stage.plan.lanes > 1 or stage.plan.island_m or not stage.settings.vehicles * stage.settings.cyclists:
            return
        pace, rides = 0.85 * stage.limit_mps, 4.0
        for meets_s in _MEETS_S:
            place = stage.ego.s + 24.0 + meets_s * pace
            if not any(place - 20.0 < j.crossing.s < place + 85.0 for j in stage.junctions.values()):
                break
        else:
            return  # nowhere is there room for it between two crossings
        for ahead_m, kind in ((24.0, "car"), (24.0 + meets_s * (pace - rides), "cyclist")):
            for nudge in range(12):
                if self._enter(0, 1, stage.ego.s + ahead_m + 3.0 * nudge, full_speed=True, kind=kind):
                    self._quiet_s = 22.0
                    break

    def feed(self) -> None:
        """Let somebody in at each end of a lane at which its traffic can appear, once the last one is far enough."""
        for lane in range(self._stage.plan.lanes):
            for direction, end in ((1, 1), (1, -1), (-1, 1)):  # nobody who comes towards the ego comes from behind
                if direction > 0 or self._stage.t_s >= self._quiet_s:
                    self._feed(lane, direction, end)

    def _feed(self, lane: int, direction: int, end: int) -> None:
        stage = self._stage
        s = stage.ego.s + (AHEAD_M - 4.0 if end > 0 else 4.0 - BEHIND_M)
        density = stage.settings.vehicles + CYCLISTS * stage.settings.cyclists
        key = (lane, direction, end)
        if key not in self._next:
            rng = stage.rng(22, lane, direction, end, stage.number())
            self._next[key] = 18.0 + rng.exponential(
                _SPACING * (1.0 if direction > 0 else _RARER) * stage.plan.traffic_m / max(density, 0.01)
            )
        lane_d = -direction * stage.plan.lane_d(lane)
        if direction < 0:
            self._call(lane, s)
        near = min((abs(u.s - s) for u in stage.drivers() if abs(u.d - lane_d) < 2.0), default=math.inf)
        if not density or near < self._next[key]:
            return
        if self._enter(lane, direction, s, slower=None if direction < 0 else end > 0):
            del self._next[key]

    def _call(self, lane: int, s: float) -> None:
        """Somebody comes along in time for a crossing, or a free bay, ahead of the ego vehicle where it could leave the
        lane before the eyes of that."""
        stage = self._stage
        places = [p.front.s for p in stage.pairs if p.wanted and p.direction < 0 and lane == stage.plan.lanes - 1]
        places += [j.crossing.s for j in stage.junctions.values() if len(j.ways("main", -1, lane)) > 1]
        for place in places:
            if place in self._called or not 30.0 < place - stage.ego.s < AHEAD_M - 20.0:
                continue
            kind: Kind = "cyclist" if stage.rng(33, round(place), lane).random() < _RIDES else "car"
            pace = 4.0 if kind == "cyclist" else 0.85 * stage.limit_mps
            share = stage.settings.cyclists if kind == "cyclist" else stage.settings.vehicles
            due = share and stage.until_met_s(place, _CALLED_M) < (s - place) / pace
            if due and self._enter(lane, -1, s, kind=kind):
                self._called.add(place)

    def _enter(
        self,
        lane: int,
        direction: int,
        s: float,
        *,
        full_speed: bool = False,
        slower: bool | None = None,
        kind: Kind | None = None,
    ) -> bool:
        """Put somebody into a lane; ``slower`` or faster than the ego vehicle where that matters."""
        stage, plan, number = self._stage, self._stage.plan, self._stage.number()
        rng = stage.rng(23, number)
        chosen = kind is not None
        kind = kind or draw_kind(stage, MAIN, rng)
        if not chosen and kind in _SLOW and direction > 0 and plan.lanes == 1 and rng.random() < _SPARED:
            return False
        if kind is None or (kind in ("cyclist", "bus", "truck") and lane != plan.lanes - 1):
            return False
        if kind == "cyclist":
            if slower is False:
                return False
            want, d = rng.uniform(3.6, 4.4 if chosen else 5.6), stage.cycling_d(-direction)
        else:
            low, high = {None: (0.82, 1.08), True: (0.8, 1.0), False: (1.0, 1.15)}[slower]
            want = stage.limit_mps * rng.uniform(low, high) * (0.88 if kind in ("truck", "bus") else 1.0)
            d = -direction * plan.lane_d(lane)
        path = Path(s, d, 0.0 if direction > 0 else math.pi)
        user = draw_user(number, "driver", kind, path, want if full_speed else 0.9 * want, want, rng)
        user.lane = lane
        room = 5.0 + user.speed_mps**2 / 4.0
        if not stage.is_wide_enough(user) or any(abs(s - j.crossing.s) < 22.0 for j in stage.junctions.values()):
            return False
        if stage.to_next_line_m(user) < room or not stage.fits(user, max(room, 2.0 * user.speed_mps)):
            return False
        stage.users.append(user)
        if kind == "car" and rng.random() < _TOWS:
            self._hitch(user, rng)
        return True

    def _hitch(self, user: User, rng: np.random.Generator) -> None:
        """Let ``user`` tow a trailer, if there is room behind it."""
        stage = self._stage
        path = Path(user.s, user.d, user.yaw)
        trailer = draw_user(stage.number(), "trailer", "trailer", path, user.speed_mps, 0.0, rng)
        user.hitch_m = 0.5 * (user.length_m + trailer.length_m) + 0.15
        trailer.along_m, trailer.group = -user.hitch_m, user.group
        trailer.locate()
        if stage.fits(trailer, 4.0):
            user.trailer = trailer
            stage.users.append(trailer)
