"""Where the street lets traffic do something: its crossings and parking bays, known without building anything.

All places are (s, d): metres along the centre line, metres to its left. Vehicles keep right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.world.plan import Plan, generator

STRETCH_M = 30.0
KERB_M = 0.12
BEHIND_M, AHEAD_M = 100.0, 160.0  # what there is around the ego vehicle
SIDE_REACH_M = 90.0  # side streets end this far from the centre line


@dataclass(frozen=True)
class Crossing:
    """A side street that crosses at ``s`` and runs straight along d, to ``SIDE_REACH_M`` on both sides.

    Its own traffic keeps right too: towards +d at s + half_width_m / 2, towards -d at s - half_width_m / 2.
    """

    s: float
    half_width_m: float  # from its centre line to its kerb: one lane each way
    signals: bool  # traffic lights for both streets; without them the side street gives way
    zebra_s: float | None  # middle of a zebra crossing of the main street, 3 m wide
    stop_s: tuple[float, float]  # where the main street stops: travelling along +s, and along -s


@dataclass(frozen=True)
class Bay:
    """A parking bay that nobody stands in: a vehicle's middle, and its yaw against the street."""

    s: float
    d: float
    yaw: float


@dataclass(frozen=True)
class Layout:
    """Stretch ``number``, from ``number``·30 m on."""

    number: int
    crossing: Crossing | None
    free_bays: tuple[Bay, ...]


def draw_layout(seed: int, plan: Plan, number: int) -> Layout:
    """The layout of one stretch; it depends on nothing else."""
    rng = generator(seed, 4, number)
    crossing = None
    if number % 4 == 2 and rng.random() < 0.6:
        s = (number + 0.5) * STRETCH_M
        crossing = Crossing(s, 4.0, bool(rng.random() < 0.5), s - 6.5, (s - 9.0, s + 6.0))
    bays = []
    for sign, side in ((1, plan.left), (-1, plan.right)):
        if side.parking_m:
            for s in np.arange(number * STRETCH_M + 3.0, (number + 1) * STRETCH_M - 2.0, 6.0):
                clear = crossing is None or abs(s - crossing.s) > crossing.half_width_m + 4.0
                if clear and rng.random() < 0.15:
                    yaw = np.pi if sign > 0 else 0.0
                    bays.append(Bay(float(s), sign * (plan.half_road_m + side.parking_m / 2), yaw))
    return Layout(number, crossing, tuple(bays))
