"""A crossing as those see it who pass it: traffic lights, right of way, and who may be on which piece of ground.

Everybody who passes claims the squares of its whole way across, and enters only when nobody else holds one of
them and there is room to leave the crossing again. So nobody meets anybody inside, and nobody ever stops there for
somebody who waits for him: there is no deadlock. Nor does anybody wait for ever: who has stood at the line for
``_PATIENCE_S`` is ``urgent``, and until it has gone nobody else enters who would be in its way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulation.shapes.furniture import Signal
from simulation.traffic.paths import Path, quarter
from simulation.world.layout import ZEBRA_M, Crossing
from simulation.world.plan import Plan, generator

if TYPE_CHECKING:
    from simulation.traffic.users import User

AMBER_S, ALL_RED_S = 3.0, 2.0
_GAP_S = 3.6  # who has the right of way and is farther off does not count
_PATIENCE_S = 9.0  # who has waited so long is let in
_MISSED_S = 25.0  # and before who has waited so long people on foot do not cross
_LEFT_M = 6.5  # radius of a left turn
_SQUARE_M, _REACH_M = 0.5, 30.0  # the ground is counted in squares, so far from the crossing's middle along the street


class Way(NamedTuple):
    """Into a crossing and out of it. ``street`` is "main" or "side"; directions are +1 or -1 along s, or along d."""

    street: str
    direction: int
    to_street: str
    to_direction: int
    lane: int  # of the main street's side of it

    @property
    def approach(self) -> tuple[str, int, int]:
        """The lane it comes by."""
        return self.street, self.direction, self.lane if self.street == "main" else 0

    @property
    def turn(self) -> str:
        """ "left", "right" or "" straight on."""
        if self.street == self.to_street:
            return ""
        same = self.direction == self.to_direction
        return ("left" if same else "right") if self.street == "main" else ("right" if same else "left")


@dataclass(slots=True, eq=False)
class Movement:
    """Somebody on its way through a crossing."""

    junction: Junction
    way: Way | None  # None for a pedestrian
    squares: int  # bit set of the ground it needs
    rank: int  # 0 goes first
    entered: bool = False
    waits_since_s: float = math.inf


class Junction:
    """The crossing of one stretch."""

    def __init__(self, seed: int, plan: Plan, crossing: Crossing, number: int) -> None:
        self.crossing, self.number, self._plan = crossing, number, plan
        rng = generator(seed, 5, number)
        self._green = (rng.uniform(14.0, 22.0), rng.uniform(7.0, 10.0))
        self._cycle = sum(self._green) + 2 * (AMBER_S + ALL_RED_S)
        self._shift = rng.uniform(0.0, self._cycle)
        self.coming: dict[User, Movement] = {}  # who has this crossing ahead
        self.inside: dict[User, Movement] = {}
        self.waiting: dict[User, int] = {}  # pedestrians at the kerb, and the ground that they need
        self.urgent: User | None = None  # whose turn it is by now; one of ``coming``
        self._squares: dict[Way, int] = {}

    # Traffic lights

    def signal(self, street: str, t_s: float) -> Signal:
        """What the lights of one street show."""
        phase = (t_s + self._shift) % self._cycle
        if street == "side":
            phase = (phase - self._green[0] - AMBER_S - ALL_RED_S) % self._cycle
        green = self._green[street == "side"]
        return "green" if phase < green else "amber" if phase < green + AMBER_S else "red"

    # Ways across

    def column_s(self, direction: int) -> float:
        """Middle of the side street's lane towards ``direction`` along d."""
        return self.crossing.s + direction * self.crossing.half_width_m / 2

    def line_m(self, way: Way) -> float:
        """Where who comes this way stops: its direction times s, or times d."""
        if way.street == "main":
            return way.direction * self.crossing.stop_s[0 if way.direction > 0 else 1]
        return -self.crossing.stop_d[1 if way.direction > 0 else 0]

    def far_m(self, way: Way) -> float:
        """Where its tail has left the crossing: its last direction times s, or times d."""
        c = self.crossing
        if way.to_street == "side":
            return c.stop_d[0 if way.to_direction > 0 else 1] + 0.5
        if way.to_direction > 0:
            return c.s + c.clear_m
        zebra = c.s - c.clear_m if c.zebra_s is None else c.zebra_s - ZEBRA_M / 2
        return -min(zebra, c.stop_s[0]) + 0.5

    def ways(self, street: str, direction: int, lane: int) -> list[Way]:
        """What can be done here by who comes along ``street``; straight on first."""
        arms, outer = self.crossing.arms, self._plan.lanes - 1
        if street == "main":
            sides = [side for side in arms if lane == (outer if side == -direction else 0)]
            straight = Way("main", direction, "main", direction, lane)
            return [straight, *(Way("main", direction, "side", arm, lane) for arm in sides)]
        turns = [Way("side", direction, "main", direction, outer), Way("side", direction, "main", -direction, 0)]
        return [Way("side", direction, "side", direction, 0), *turns] if direction in arms else turns

    def route(self, way: Way, path: Path, along_m: float, goal_d: float) -> tuple[Path, float, float]:
        """``path``, straight on its approach ``along_m``, led this way; where along it its arc begins and ends.

        ``goal_d``: where on the main street who turns into it goes on.
        """
        if not way.turn:
            return path, math.inf, math.inf
        s, d, _ = path.at(along_m)
        left = way.turn == "left"
        if way.street == "main":
            column = self.column_s(way.to_direction)
            radius = _LEFT_M if left else self._right_m(d)
            ahead = way.direction * (column - s) - radius
        else:
            radius = _LEFT_M if left else self._right_m(goal_d)
            ahead = way.direction * (goal_d - d) - radius
        arc = quarter(radius, left)
        return path.then(along_m + ahead, arc), along_m + ahead, along_m + ahead + arc.length_m

    def _right_m(self, lane_d: float) -> float:
        """Radius of a right turn out of or into the lane at ``lane_d``, round the kerb's corner."""
        aside = self.crossing.half_width_m / 2 + self._plan.half_road_m - abs(lane_d)
        return min(self.crossing.corner_m + 0.5 * aside, 7.0)

    def movement(self, way: Way) -> Movement:
        """Somebody's movement this way."""
        if way not in self._squares:
            self._squares[way] = self._sweep(way)
        rank = 0 if way.street == "main" else 2
        return Movement(self, way, self._squares[way], rank + (way.turn == "left"))

    def _sweep(self, way: Way) -> int:
        """The ground that a vehicle passes over from its line until it has left."""
        start, column = (self.line_m(way) - 4.0) * way.direction, self.column_s(way.direction)
        if way.street == "main":
            path = Path(start, -way.direction * self._plan.lane_d(way.lane), 0.0 if way.direction > 0 else math.pi)
        else:
            path = Path(column, start, way.direction * math.pi / 2)
        path, _, turned = self.route(way, path, 0.0, -way.to_direction * self._plan.lane_d(way.lane))
        ground, length, half = self._ground(), 2.5, 1.3 if way.turn else 1.0
        while length < 100.0:
            s, d, _ = path.at(length)
            self._cover(ground, (s - half, s + half), (d - half, d + half))
            onward = way.to_direction * (s if way.to_street == "main" else d)
            if onward > self.far_m(way) and (not way.turn or length > turned):
                break
            length += 0.5
        return _bits(ground)

    def squares(self, s: tuple[float, float], d: tuple[float, float]) -> int:
        """The squares of a rectangle, as a bit set."""
        ground = self._ground()
        self._cover(ground, s, d)
        return _bits(ground)

    def _ground(self) -> np.ndarray:
        return np.zeros((int(2 * _REACH_M / _SQUARE_M), int(3 * _REACH_M / _SQUARE_M)), bool)

    def _cover(self, ground: np.ndarray, s: tuple[float, float], d: tuple[float, float]) -> None:
        i = [max(0, math.floor((x - self.crossing.s + _REACH_M) / _SQUARE_M)) for x in s]
        j = [max(0, math.floor((x + 1.5 * _REACH_M) / _SQUARE_M)) for x in d]
        ground[i[0] : i[1] + 1, j[0] : j[1] + 1] = True

    # Right of way

    def may_enter(self, user: User, movement: Movement, t_s: float) -> bool:
        """Whether ``user``, a driver, may pass its line now, as far as others on the crossing are concerned."""
        way, gap = movement.way, to_line_m(user, movement)
        if self.crossing.signals:
            shown = self.signal(way.street, t_s)
            if shown == "red" or (shown == "amber" and gap > user.speed_mps**2 / 6.0):
                self.calm(user)
                return False
        if t_s - movement.waits_since_s > _PATIENCE_S and self.urgent is None:
            self.urgent = user
        if not self.is_free(movement.squares, user, way):
            return False
        if self.urgent is user:
            return True
        if not self.crossing.signals and any(squares & movement.squares for squares in self.waiting.values()):
            return False
        return not any(self._yields(movement, other, held, t_s) for other, held in self.coming.items())

    def calm(self, user: User) -> None:
        """``user`` could not go even if it were let: its light is red, or there is no room for it beyond."""
        if self.urgent is user:
            self.urgent = None

    def is_free(self, squares: int, user: User, way: Way | None = None) -> bool:
        """Whether nobody inside, nor whose turn it is, needs one of ``squares``. Who came by the same lane is merely
        followed. Without a ``way`` it is a pedestrian who asks: other pedestrians do not count.
        """
        if self.urgent is not None and self.urgent is not user:
            first = self.coming[self.urgent]
            if first.squares & squares and (way is None or way.approach != first.way.approach):
                return False
        for other, held in self.inside.items():
            followed = way is not None and held.way is not None and held.way.approach == way.approach
            walks_too = way is None and held.way is None
            if other is not user and not followed and not walks_too and held.squares & squares:
                return False
        return True

    def is_overdue(self, squares: int, t_s: float) -> bool:
        """Whether somebody at its line has missed a whole green, for people on foot who need the same ``squares``."""
        return any(squares & m.squares and t_s - m.waits_since_s > _MISSED_S for m in self.coming.values())

    def _yields(self, movement: Movement, other: User, held: Movement, t_s: float) -> bool:
        """Whether ``movement`` has to wait for ``other``, who comes with the right of way."""
        if held.rank >= movement.rank or not held.squares & movement.squares:
            return False
        if self.crossing.signals and self.signal(held.way.street, t_s) != "green":
            return False
        return to_line_m(other, held) < _GAP_S * max(other.speed_mps, 3.0)

    def enter(self, user: User, movement: Movement) -> None:
        """``user`` holds its ground from now on."""
        movement.entered = True
        self.calm(user)
        self.coming.pop(user, None)
        self.inside[user] = movement

    def hold(self, user: User, squares: int) -> None:
        """A pedestrian holds its ground from now on."""
        self.waiting.pop(user, None)
        self.inside[user] = Movement(self, None, squares, 0, entered=True)

    def forget(self, user: User) -> None:
        """``user`` has left, or goes elsewhere."""
        self.calm(user)
        self.coming.pop(user, None)
        self.inside.pop(user, None)
        self.waiting.pop(user, None)


def _bits(ground: np.ndarray) -> int:
    return int.from_bytes(np.packbits(ground).tobytes(), "big")


def to_line_m(user: User, movement: Movement) -> float:
    """From the user's front to the line where it would stop; negative beyond."""
    way = movement.way
    place = way.direction * (user.s if way.street == "main" else user.d)
    return movement.junction.line_m(way) - place - 0.5 * user.length_m


def has_left(user: User, movement: Movement) -> bool:
    """Whether its tail is out of the crossing."""
    way = movement.way
    onward = math.cos(user.yaw) if way.to_street == "main" else math.sin(user.yaw)
    place = way.to_direction * (user.s if way.to_street == "main" else user.d)
    return way.to_direction * onward > 0.98 and place - 0.5 * user.length_m > movement.junction.far_m(way)
