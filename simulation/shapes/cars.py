"""Cars and vans: hatchbacks, saloons, estates, SUVs; delivery vans and minibuses."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulation.shapes.bodywork import Lines, Panes, axle, lights, mirrors, pair, plate, seats, skin
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Mesh, box, join
from simulation.shapes.palette import BLACK, pick_paint
from simulation.shapes.state import State


class Form(NamedTuple):
    """A kind of car. Ranges in metres; ``bonnet`` as a share of the length."""

    share: float
    length: tuple[float, float]
    height: tuple[float, float]
    bonnet: float
    boot: float  # level behind the rear window
    slant: float  # of the rear window along x
    clearance: float
    wheel: float  # radius


# Sizes so that the whole mix has KITTI's: 3.88 m +- 0.43 long, 1.53 m +- 0.14 high (Geiger et al., CVPR 2012, labels).
_FORMS = (
    Form(0.46, (3.45, 4.05), (1.40, 1.54), 0.23, 0.05, 0.36, 0.19, 0.295),  # hatchback
    Form(0.14, (3.40, 4.10), (1.54, 1.68), 0.20, 0.05, 0.26, 0.20, 0.295),  # small people carrier
    Form(0.14, (4.20, 4.70), (1.38, 1.46), 0.26, 0.52, 0.60, 0.18, 0.31),  # saloon
    Form(0.16, (4.15, 4.65), (1.42, 1.52), 0.25, 0.05, 0.30, 0.18, 0.31),  # estate
    Form(0.10, (4.00, 4.55), (1.60, 1.76), 0.25, 0.06, 0.28, 0.25, 0.35),  # SUV
)


def car(rng: np.random.Generator, state: State) -> Mesh:
    """A passenger car."""
    form = _FORMS[int(rng.choice(len(_FORMS), p=[form.share for form in _FORMS]))]
    length, height = rng.uniform(*form.length), rng.uniform(*form.height)
    half = float(np.clip(rng.normal(0.82, 0.035), 0.75, 0.90))
    radius = form.wheel * rng.uniform(0.97, 1.05)
    waist = 0.60 * height + rng.uniform(-0.02, 0.03)
    bonnet = waist - rng.uniform(0.0, 0.05)
    nose = bonnet - rng.uniform(0.16, 0.24)
    cleft = rng.uniform(0.52, 0.66)  # rake of the wind screen
    paint = state.look(Material.CAR_PAINT, pick_paint(rng))
    dark = state.look(Material.METAL, BLACK)
    front, rear = length / 2, -length / 2
    cowl, deck = front - form.bonnet * length, rear + form.boot
    header, tail = cowl - cleft, deck + form.slant
    fore, aft = front - rng.uniform(0.70, 0.80), rear + rng.uniform(0.62, 0.72) + 0.3 * form.boot
    lip = form.clearance
    deep = form.boot > 0.2  # a saloon
    lines = Lines(
        floor=((rear, lip + 0.13), (rear + 0.12, lip + 0.03), (aft, lip), (front - 0.2, lip), (front, lip + 0.04)),
        waist=(
            (rear, waist - 0.10),
            (deck, waist),
            (cowl, bonnet - 0.06),
            (front - 0.06, nose - 0.04),
            (front, nose - 0.12),
        ),
        roof=(
            (rear, waist - 0.02 if deep else waist + 0.06),
            (deck, waist + 0.04 if deep else waist + 0.10),
            (tail, height - 0.07),
            (0.6 * tail + 0.4 * header, height - 0.02),
            (header, height - 0.05),
            (cowl, bonnet),
            (fore, 0.35 * bonnet + 0.65 * nose + 0.05),
            (front - 0.06, nose),
            (front, nose - 0.07),
        ),
        width=(
            (rear, 0.84 * half),
            (rear + 0.12, 0.94 * half),
            (aft, half),
            (fore, half),
            (front - 0.2, 0.92 * half),
            (front - 0.06, 0.78 * half),
            (front, 0.62 * half),
        ),
        shoulder=(
            (rear, 0.76 * half),
            (deck, 0.82 * half),
            (tail, 0.70 * half),
            (header, 0.72 * half),
            (cowl, 0.86 * half),
            (front - 0.2, 0.80 * half),
            (front, 0.52 * half),
        ),
    )
    top = waist + 0.45 * (height - waist)
    pillar, rearmost = 0.5 * (header + tail) + 0.12, tail - 0.35 * form.slant
    if not deep:
        rearmost = tail + 0.02
    sides = ((rearmost, pillar - 0.05), (pillar + 0.05, cowl - 0.08))
    if length > 4.1 and not deep:  # a third side window
        sides = ((rearmost, rearmost + 0.55), (rearmost + 0.62, pillar - 0.05), sides[1])
    screens = ((header, cowl), (deck, tail))
    return join(
        [
            seats(state, (pillar - 0.2, tail + 0.15), 0.86 * half, lip + 0.25, top),
            skin(state, lines, Panes(sides, screens), paint, ((fore, radius + 0.055), (aft, radius + 0.055))),
            axle(state, fore, half - 0.015, radius, 0.19),
            axle(state, aft, half - 0.015, radius, 0.19),
            box((length - 0.5, 1.1 * half, 0.1), (0.0, 0.0, lip + 0.02), dark),
            lights(
                state,
                (front - 0.10, 0.77 * half, nose - 0.10),
                (rear + 0.02, 0.78 * half, waist - 0.13),
                not deep,
            ),
            box((0.05, 0.9 * half, 0.10), (front - 0.005, 0.0, nose - 0.20), dark),  # grille
            box((0.05, 1.0 * half, 0.09), (front - 0.005, 0.0, lip + 0.12), dark),
            plate(state, front + 0.012, lip + 0.22),
            plate(state, rear - 0.005, waist - 0.22 if not deep else lip + 0.3),
            box((0.04, 1.3 * half, 0.10), (rear + 0.01, 0.0, lip + 0.18), dark),
            mirrors(state, cowl - 0.28, half - 0.02, bonnet + 0.05, (0.09, 0.13, 0.12), paint),
        ]
    )


def van(rng: np.random.Generator, state: State) -> Mesh:
    """A delivery van, closed behind the front seats, or a minibus with windows all along."""
    glazed, large = rng.random() < 0.35, rng.random() < 0.5
    length = rng.uniform(5.0, 6.0) if large else rng.uniform(4.2, 4.9)
    height = rng.uniform(2.2, 2.6) if large and not glazed else rng.uniform(1.8, 2.05)
    half, radius = rng.uniform(0.90, 0.98) if large else rng.uniform(0.85, 0.92), rng.uniform(0.31, 0.35)
    rgb = pick_paint(rng)
    paint = state.look(Material.CAR_PAINT, (0.85, 0.85, 0.84) if rng.random() < 0.5 else rgb)
    dark = state.look(Material.METAL, BLACK)
    front, rear = length / 2, -length / 2
    waist = rng.uniform(1.05, 1.15)
    cowl = front - rng.uniform(0.55, 0.75)
    header = cowl - rng.uniform(0.50, 0.65)
    nose, lip, top = waist - 0.22, 0.24, height - 0.03
    fore, aft = front - rng.uniform(0.80, 0.92), rear + rng.uniform(0.85, 1.0)
    lines = Lines(
        floor=((rear, lip + 0.12), (rear + 0.3, lip + 0.04), (front - 0.2, lip), (front, lip + 0.03)),
        waist=((rear, waist), (cowl, waist - 0.05), (front - 0.08, nose - 0.06), (front, nose - 0.15)),
        roof=(
            (rear, top - 0.22),
            (rear + 0.10, top - 0.02),
            (0.0, top),
            (header, top - 0.08),
            (cowl, waist),
            (front - 0.08, nose),
            (front, nose - 0.08),
        ),
        width=(
            (rear, 0.93 * half),
            (rear + 0.12, half),
            (front - 0.8, half),
            (front - 0.2, 0.94 * half),
            (front, 0.68 * half),
        ),
        shoulder=(
            (rear, 0.84 * half),
            (rear + 0.12, 0.88 * half),
            (header, 0.86 * half),
            (cowl, 0.88 * half),
            (front, 0.58 * half),
        ),
    )
    door = header - 0.45
    sides = [(door, cowl - 0.12)]
    if glazed:
        ends = np.linspace(rear + 0.25, door - 0.08, 3)
        sides += [(float(a), float(b) - 0.08) for a, b in pairwise(ends)]
    rear_panes = pair(
        state.look(Material.GLASS, (0.1, 0.13, 0.16)),
        (0.03, 0.62 * half, 0.42),
        (rear - 0.005, 0.42 * half, 0.62 * (waist + top) - 0.25),
    )
    return join(
        [
            seats(state, (door - 0.05,), 0.9 * half, lip + 0.4, waist + 0.35),
            skin(
                state,
                lines,
                Panes(sides, ((header + 0.02, cowl - 0.04),)),
                paint,
                ((fore, radius + 0.06), (aft, radius + 0.06)),
            ),
            axle(state, fore, half - 0.02, radius, 0.21),
            axle(state, aft, half - 0.02, radius, 0.21),
            box((length - 0.5, 1.1 * half, 0.12), (0.0, 0.0, lip + 0.03), dark),
            lights(state, (front - 0.13, 0.79 * half, nose - 0.14), (rear + 0.02, 0.86 * half, 0.95 * waist), True),
            box((0.05, 1.0 * half, 0.14), (front - 0.005, 0.0, nose - 0.28), dark),
            box((0.08, 1.5 * half, 0.16), (front - 0.02, 0.0, lip + 0.12), dark),
            plate(state, front + 0.025, lip + 0.14),
            plate(state, rear - 0.005, 0.75 * waist),
            box((0.08, 1.7 * half, 0.14), (rear + 0.01, 0.0, lip + 0.2), dark),
            rear_panes,
            mirrors(state, cowl - 0.30, half + 0.03, waist + 0.18, (0.10, 0.14, 0.26), dark),
        ]
    )
