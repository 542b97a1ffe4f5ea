"""What road users know about each other and about the street around the ego vehicle at one time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulation.settings import TrafficSettings
from simulation.traffic.actions import Log
from simulation.traffic.junction import Junction
from simulation.traffic.motion import overlap
from simulation.traffic.users import EGO_TRACK_ID, Cue, User
from simulation.world.layout import Bay, Layout
from simulation.world.plan import Plan, generator

# What drivers take for the speed limit, m/s.
LIMITS_MPS = {
    "city": 11.5, "residential": 9.0, "garden suburb": 9.5, "avenue": 13.5, "works": 12.5, "country": 19.0,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Claim:
    """A piece of the oncoming lane taken by somebody who overtakes: ``direction`` times s, from ... to."""

    user: User
    direction: int
    from_m: float
    to_m: float
    until_m: float  # along the user's path


@dataclass(slots=True, eq=False)
class BayPair:
    """Two neighbouring bays, by the direction of travel beside them; one drives into the front one, out of the rear."""

    direction: int
    rear: Bay
    front: Bay
    wanted: bool  # whether whoever comes next may park here


class Stage:
    """The state of the traffic of one street."""

    def __init__(self, seed: int, plan: Plan, settings: TrafficSettings) -> None:
        self.seed, self.plan, self.settings = seed, plan, settings
        self.limit_mps = LIMITS_MPS[plan.district]
        self.t_s, self.tick = 0.0, 0
        self.users: list[User] = []
        self.layouts: dict[int, Layout] = {}
        self.junctions: dict[int, Junction] = {}
        self.pairs: list[BayPair] = []
        self.claims: list[Claim] = []
        self.log = Log(EGO_TRACK_ID)
        self._count = 0

    @property
    def ego(self) -> User:
        """The ego vehicle."""
        return self.users[0]

    def number(self) -> int:
        """A number for somebody new."""
        self._count += 1
        return self._count

    def rng(self, purpose: int, *place: int) -> np.random.Generator:
        """Random numbers of one purpose (unique within the traffic) and place."""
        return generator(self.seed, 6, purpose, *place)

    def cycling_d(self, sign: int) -> float:
        """Where cyclists ride on one side of the street: in the middle of their lane, clear of the doors of parked
        cars, or near the edge."""
        from_edge = self.plan.cycle_m / 2 or (1.0 if self.plan.side(sign).parking_m else 0.6)
        return sign * (self.plan.half_road_m - from_edge)

    def is_wide_enough(self, user: User) -> bool:
        """Whether ``user`` could pass one of its kind in the next lane."""
        return user.width_m + user.manner.margin_m < self.plan.lane_m - 0.01

    def fits(self, user: User, apart_m: float) -> bool:
        """Whether nobody is where ``user`` is, nor within ``apart_m`` before or behind."""
        return not any(
            other.group != user.group and overlap(
                user.s, user.d, user.yaw, 0.5 * user.length_m + apart_m, 0.5 * user.width_m + 0.2,
                other.s, other.d, other.yaw, 0.5 * other.length_m, 0.5 * other.width_m,
            )
            for other in self.users
        )  # fmt: skip

    def until_met_s(self, s: float, before_m: float) -> float:
        """In about so many seconds the ego vehicle is ``before_m`` before the place ``s``, at its present speed."""
        return max(0.0, s - before_m - self.ego.s) / max(self.ego.speed_mps, 3.0)

    def is_due(self, cue: Cue) -> bool:
        """Whether it is time for who waits for ``cue``."""
        return self.until_met_s(cue.s, cue.before_m) <= cue.lead_s

    def will_be_seen(self, s: float, in_s: float) -> bool:
        """Whether what begins at the place ``s`` in so many seconds, and takes a few, happens before the eyes of the
        ego vehicle as it comes."""
        return 12.0 < s - self.ego.s - in_s * self.ego.speed_mps < 62.0

    def is_seen(self, s: float) -> bool:
        """Whether the place ``s`` is where the ego vehicle's cameras see best. Drives are short: what could be done
        anywhere is mostly done there."""
        return 5.0 < s - self.ego.s < 60.0

    def drivers(self) -> Iterator[User]:
        """Everybody on wheels who is not parked."""
        return (user for user in self.users if user.role in ("ego", "driver", "trailer"))

    def walkers(self) -> Iterator[User]:
        """Everybody on foot."""
        return (user for user in self.users if user.role == "walker")

    def to_next_line_m(self, user: User) -> float:
        """From the front of a user of the main street to the next line of a crossing; inf where there is none near."""
        direction, nearest = user.along_street, math.inf
        for junction in self.junctions.values():
            line = direction * junction.crossing.stop_s[0 if direction > 0 else 1]
            gap = line - direction * user.s - 0.5 * user.length_m
            if gap > -1.0:
                nearest = min(nearest, gap)
        return nearest

    def claimed(self, direction: int, from_s: float, to_s: float) -> bool:
        """Whether somebody who travels in ``direction`` has taken a piece of the oncoming lane between two places."""
        low, high = sorted((direction * from_s, direction * to_s))
        return any(c.direction == direction and c.from_m < high and c.to_m > low for c in self.claims)

    def to_claim_m(self, user: User) -> float:
        """From the front of a user to the piece of its lane that an oncoming one has taken; inf without."""
        nearest = math.inf
        for claim in self.claims:
            if claim.direction == -user.along_street and user.lane == 0:
                gap = claim.direction * user.s - claim.to_m - 0.5 * user.length_m
                if gap > -2.0:
                    nearest = min(nearest, gap)
        return nearest

    def remove(self, user: User) -> None:
        """``user`` is out of reach, or inside a car."""
        if user not in self.users:
            return
        self.users.remove(user)
        if user.trailer is not None:
            self.remove(user.trailer)
        for junction in self.junctions.values():
            junction.forget(user)
        self.claims = [c for c in self.claims if c.user is not user]
        self.log.leave(user.track_id, self.t_s)
