"""City buses and coaches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from simulation.shapes.bodywork import Lines, Panes, axle, lights, mirrors, plate, skin
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Mesh, box, join
from simulation.shapes.palette import BLACK, GLASS, pick
from simulation.shapes.state import AMBER, State


def bus(rng: np.random.Generator, state: State) -> Mesh:
    """A city bus or a coach, 10.5-12.5 m long."""
    coach = rng.random() < 0.25
    length, half, height = rng.uniform(10.5, 12.5), 1.25, rng.uniform(3.3, 3.6) if coach else rng.uniform(2.9, 3.1)
    rgb = pick(
        rng, ((0.80, 0.68, 0.10), (0.62, 0.08, 0.08), (0.86, 0.86, 0.85), (0.15, 0.32, 0.58), (0.20, 0.45, 0.25))
    )
    paint, dark = state.look(Material.CAR_PAINT, rgb), state.look(Material.METAL, BLACK)
    glass = state.look(Material.GLASS, GLASS)
    front, rear = length / 2, -length / 2
    low, waist = 0.30, 1.65 if coach else 1.10
    top, radius = height - 0.02, 0.48
    fore, aft = front - 2.7, rear + 3.3
    lines = Lines(
        floor=((rear, low + 0.2), (rear + 2.2, low + 0.08), (front - 0.3, low), (front, low + 0.05)),
        waist=((rear, waist), (front - 0.05, waist), (front, waist - 0.1)),
        roof=(
            (rear, top - 0.25),
            (rear + 0.12, top - 0.03),
            (front - 0.55, top),
            (front - 0.30, top - 0.35),
            (front - 0.04, waist - 0.02 + 0.05),
            (front, waist - 0.06),
        ),
        width=(
            (rear, half - 0.08),
            (rear + 0.15, half),
            (front - 0.4, half),
            (front - 0.1, half - 0.10),
            (front, half - 0.22),
        ),
        shoulder=((rear, half - 0.14), (rear + 0.15, half - 0.06), (front - 0.4, half - 0.06), (front, half - 0.30)),
    )
    ends = np.linspace(rear + 0.5, front - 0.6, 8)
    sides = [(float(a) + 0.05, float(b) - 0.05) for a, b in pairwise(ends)]
    doors = []
    for x in () if coach else (front - 1.3, 0.3, rear + 2.0):  # on the kerb's side
        doors.append(box((1.25, 0.03, waist + 0.75), (x, -half + 0.0, low + 0.12 + (waist + 0.75) / 2), glass))
        doors += [
            box((0.06, 0.04, waist + 0.8), (x + dx, -half, low + 0.12 + (waist + 0.75) / 2), dark)
            for dx in (-0.65, 0.0, 0.65)
        ]
    band = box((0.06, 1.7, 0.26), (front - 0.28, 0.0, top - 0.14), state.lamp(AMBER, 0.7 if state.lights else 0.0))
    return join(
        [
            skin(state, lines, Panes(sides, ((front - 0.30, front - 0.05),)), paint, ((fore, 0.56), (aft, 0.56))),
            axle(state, fore, half - 0.03, radius, 0.30),
            axle(state, aft, half - 0.03, radius, 0.55),
            box((length - 0.6, 1.9, 0.2), (0.0, 0.0, low + 0.08), dark),
            lights(state, (front - 0.04, 0.85, 0.68), (rear + 0.0, 1.0, 1.0), True, bow=0.3),
            plate(state, front + 0.005, 0.48),
            plate(state, rear - 0.005, 0.75),
            box((0.03, 1.7, 0.75), (rear - 0.005, 0.0, waist + 0.75), glass),
            box((0.04, 1.6, 0.35), (rear, 0.0, 0.75), dark),
            mirrors(state, front + 0.05, half + 0.06, top - 0.75, (0.12, 0.18, 0.40), dark),
            band,
            *doors,
            *([] if coach else [box((1.8, 1.6, 0.22), (rear + 2.6, 0.0, height + 0.08), paint)]),  # air conditioning
        ]
    )
