"""Where the street lets traffic do something: crossings, parking bays, bus stops, known without building anything.

All places are (s, d): metres along the centre line, metres to its left. Vehicles keep right. A ``sign`` names a side of
the street: +1 left, -1 right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from simulation.world.centreline import slopes
from simulation.world.plan import Plan, Side, generator

STRETCH_M = 30.0
BEHIND_M, AHEAD_M = 100.0, 160.0  # what there is around the ego vehicle
SIDE_REACH_M = 90.0  # side streets end this far from the centre line
ZEBRA_M = 3.0  # width of a zebra crossing, as a driver crosses it
_BAY_M = 6.0
_CURVED = 1 / 350.0  # 1/m: where the street bends more than this nothing joins it


class Head(NamedTuple):
    """A signal head for one approach. ``yaw`` is the direction of that approach's travel against the street: the lamps
    look back along it. ``height_m`` is the head's middle above the road; ``street`` is the one whose light it shows."""

    s: float
    d: float
    yaw: float
    height_m: float
    street: Literal["main", "side"]


@dataclass(frozen=True)
class Crossing:
    """A side street that meets the street at ``s`` and runs straight along d, to ``SIDE_REACH_M``.

    Its own traffic keeps right too: towards +d at s + half_width_m / 2, towards -d at s - half_width_m / 2.
    """

    s: float
    half_width_m: float  # from its centre line to its kerb: one lane each way
    signals: bool  # traffic lights for both streets; without them the side street gives way
    zebra_s: float | None  # middle of a zebra crossing of the main street, ZEBRA_M wide
    stop_s: tuple[float, float]  # where the main street stops: travelling along +s, and along -s
    arms: tuple[int, ...]  # the sides on which there is a side street: (1, -1), or one of them at a T-junction
    corner_m: float  # radius of the kerb where the streets meet
    sidewalk_m: float  # width of the side street's own sidewalks, 0 without
    stop_d: tuple[float, float]  # distance from the centre line at which the left, and the right, arm stops
    heads: tuple[Head, ...]  # empty without signals

    @property
    def clear_m(self) -> float:
        """Along the main street its junction reaches this far from ``s``: nobody parks nearer."""
        return self.half_width_m + self.corner_m + 4.5

    def kerb_m(self, out_m: np.ndarray | float) -> np.ndarray:
        """From the middle of the side street to its kerb, ``out_m`` beyond the edge of the main carriageway: a quarter
        circle of ``corner_m``, then straight."""
        return _kerb_m(self.half_width_m, self.corner_m, out_m)


@dataclass(frozen=True)
class Bay:
    """A parking bay that nobody stands in: a vehicle's middle, and its yaw against the street."""

    s: float
    d: float
    yaw: float


@dataclass(frozen=True)
class BusStop:
    """A bus's nose is at ``s`` when it stands here; people wait at (s, d)."""

    s: float
    d: float
    sign: int


@dataclass(frozen=True)
class Works:
    """A construction site beside the carriageway of one side, between two points of the street."""

    from_s: float
    to_s: float
    sign: int


@dataclass(frozen=True)
class Layout:
    """Stretch ``number``, from ``number``·30 m on."""

    number: int
    crossing: Crossing | None
    free_bays: tuple[Bay, ...]
    bays: tuple[Bay, ...] = ()  # the other bays, where the stretch may have parked somebody
    bus_stop: BusStop | None = None
    works: Works | None = None


def _kerb_m(half_width_m: float, radius_m: float, out_m: np.ndarray | float) -> np.ndarray:
    rest = np.clip(radius_m - np.asarray(out_m, float), 0.0, radius_m)
    return half_width_m + radius_m - np.sqrt(radius_m**2 - rest**2)


def front_m(plan: Plan, side: Side) -> float:
    """Distance from the centre line at which a side's sidewalk ends and gardens begin."""
    return plan.half_road_m + side.pavement_m


def draw_layout(seed: int, plan: Plan, number: int) -> Layout:
    """The layout of one stretch; it depends on nothing else."""
    rng = generator(seed, 4, number)
    crossing = _draw_crossing(rng, plan, number)
    bus_stop = works = None
    if crossing is None:
        bus_stop, works = _draw_bus_stop(rng, plan, number), _draw_works(rng, number)
    free, taken = [], []
    for sign, side in ((1, plan.left), (-1, plan.right)):
        left_free = 0
        for s in np.arange(number * STRETCH_M + _BAY_M / 2, (number + 1) * STRETCH_M, _BAY_M):
            if side.parking_m and not _blocked(float(s), sign, crossing, bus_stop, works):
                yaw = np.pi if sign > 0 else 0.0
                bay = Bay(float(s), sign * (plan.half_road_m + side.parking_m / 2), yaw)
                if rng.random() < 0.28:
                    left_free = 2  # two in a row: room to drive in and out without reversing
                (free if left_free > 0 else taken).append(bay)
                left_free -= 1
    return Layout(number, crossing, tuple(free), tuple(taken), bus_stop, works)


def _blocked(s: float, sign: int, crossing: Crossing | None, bus_stop: BusStop | None, works: Works | None) -> bool:
    """Whether a bay cannot be at ``s`` of one side."""
    half = _BAY_M / 2
    if crossing is not None:
        zebra = crossing.zebra_s is not None and abs(s - crossing.zebra_s) < ZEBRA_M / 2 + half + 1.0
        if zebra or abs(s - crossing.s) < crossing.clear_m + half:
            return True
    if bus_stop is not None and bus_stop.sign == sign and abs(s - (bus_stop.s + 6.0 * sign)) < 10.0 + half:
        return True
    return works is not None and works.sign == sign and works.from_s - half < s < works.to_s + half


def _draw_crossing(rng: np.random.Generator, plan: Plan, number: int) -> Crossing | None:
    s = (number + 0.5) * STRETCH_M
    bend = float(np.abs(slopes(plan.bends, s)))
    if number % 3 != 2 or bend > _CURVED or rng.random() > (0.4 if plan.district == "country" else 0.8):
        return None
    arms = ((1, -1), (1,), (-1,))[int(rng.choice(3, p=(0.5, 0.25, 0.25)))]
    half_width, corner = rng.uniform(3.0, 4.0), rng.uniform(2.5, 4.0)
    signals = bool(rng.random() < {"city": 0.6, "avenue": 0.6, "works": 0.4, "residential": 0.25}.get(plan.district, 0))
    rural = plan.left.sidewalk_m == 0.0 or plan.right.sidewalk_m == 0.0
    zebra = s - half_width - corner - 1.8 if signals or (not rural and rng.random() < 0.4) else None
    stop_s = ((s - half_width - corner) if zebra is None else zebra - ZEBRA_M / 2 - 0.8, s + half_width + corner)
    stop_d = (front_m(plan, plan.left) + 0.8, front_m(plan, plan.right) + 0.8)
    sidewalk = 0.0 if rural else rng.uniform(1.6, 2.4)
    heads = _heads(plan, s, half_width, corner, arms, stop_s, stop_d) if signals else ()
    return Crossing(s, half_width, signals, zebra, stop_s, arms, corner, sidewalk, stop_d, heads)


def _heads(
    plan: Plan,
    s: float,
    half_width_m: float,
    corner_m: float,
    arms: tuple[int, ...],
    stop_s: tuple[float, float],
    stop_d: tuple[float, float],
) -> tuple[Head, ...]:
    """One head on the right of each approach, just past its stop line."""
    kerb = plan.half_road_m + 0.45
    heads = [Head(stop_s[0] + 0.3, -kerb, 0.0, 2.75, "main"), Head(stop_s[1] - 0.3, kerb, np.pi, 2.75, "main")]
    for arm in arms:  # towards the street: along -d on the left, on the side of smaller s
        d = stop_d[0] if arm > 0 else stop_d[1]
        aside = float(_kerb_m(half_width_m, corner_m, d - 0.7 - plan.half_road_m)) + 0.45
        heads.append(Head(s - arm * aside, arm * (d - 0.5), -arm * np.pi / 2, 2.75, "side"))
    return tuple(heads)


def _draw_bus_stop(rng: np.random.Generator, plan: Plan, number: int) -> BusStop | None:
    rate = {"city": 0.15, "avenue": 0.18, "country": 0.04}.get(plan.district, 0.12)
    sign, chosen = int(rng.choice([1, -1])), rng.random() < rate
    side = plan.side(sign)
    if not chosen or side.sidewalk_m < 1.8:
        return None
    s = number * STRETCH_M + (8.0 if sign > 0 else 22.0)  # the bus's whole length stays on the stretch
    return BusStop(s, sign * (front_m(plan, side) - side.sidewalk_m + 0.7), sign)


def _draw_works(rng: np.random.Generator, number: int) -> Works | None:
    begin, length, sign = rng.uniform(2.0, 12.0), rng.uniform(8.0, 15.0), int(rng.choice([1, -1]))
    if rng.random() > 0.05:
        return None
    return Works(number * STRETCH_M + begin, number * STRETCH_M + begin + length, sign)
