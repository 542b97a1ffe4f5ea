"""What SemanticKITTI calls other-vehicle: caravans, trailers and tractors."""

from __future__ import annotations

import numpy as np

from simulation.shapes.bodywork import Lines, Panes, axle, lights, pair, plate, skin
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Mesh, box, frustum, join, tube
from simulation.shapes.palette import BLACK, GLASS, LIVERIES, pick, pick_paint
from simulation.shapes.state import State


def trailer(rng: np.random.Generator, state: State) -> Mesh:
    """A caravan, a box on wheels, an open trailer, now and then a tractor."""
    make = (_caravan, _box_trailer, _open_trailer, _tractor)[int(rng.choice(4, p=[0.4, 0.25, 0.2, 0.15]))]
    return make(rng, state)


def _drawbar(state: State, nose: float, tip: float) -> list[Mesh]:
    steel = state.look(Material.METAL, (0.3, 0.3, 0.32))
    bars = [tube((nose, 0.45 * side, 0.46), (tip, 0.0, 0.48), (0.03, 0.03), steel, 5) for side in (-1, 1)]
    return [*bars, tube((tip - 0.18, 0.0, 0.02), (tip - 0.18, 0.0, 0.6), (0.03, 0.03), steel, 6)]


def _caravan(rng: np.random.Generator, state: State) -> Mesh:
    length, half, height = rng.uniform(4.2, 6.0), rng.uniform(1.05, 1.15), rng.uniform(2.4, 2.6)
    shell = state.look(Material.CAR_PAINT, (0.88, 0.88, 0.85))
    rear, nose = -length / 2, length / 2 - 0.9
    low, waist = 0.42, 1.35
    lines = Lines(
        floor=((rear, low), (nose, low)),
        waist=((rear, waist), (nose, waist - 0.1)),
        roof=(
            (rear, waist + 0.2),
            (rear + 0.25, height - 0.1),
            (rear + 0.7, height),
            (nose - 0.8, height),
            (nose - 0.25, height - 0.3),
            (nose, waist + 0.05),
        ),
        width=((rear, half - 0.05), (rear + 0.2, half), (nose - 0.3, half), (nose, half - 0.12)),
        shoulder=((rear, half - 0.1), (nose, half - 0.1)),
    )
    sides = ((rear + 0.7, rear + 1.5), (nose - 1.6, nose - 0.8))
    stripe = state.look(Material.CAR_PAINT, pick_paint(rng))
    return join(
        [
            skin(state, lines, Panes(sides, ((nose - 0.24, nose - 0.01),)), shell, ((-0.45, 0.38),)),
            axle(state, -0.45, half - 0.04, 0.32, 0.2),
            pair(stripe, (0.7 * (nose - rear), 0.03, 0.14), ((rear + nose) / 2, half - 0.005, 1.12)),
            pair(state.tail_lamp(), (0.06, 0.14, 0.30), (rear + 0.01, half - 0.25, 0.8)),
            plate(state, rear - 0.01, 0.62),
            *_drawbar(state, nose - 0.1, length / 2),
        ]
    )


def _box_trailer(rng: np.random.Generator, state: State) -> Mesh:
    length, half, height = rng.uniform(3.0, 4.4), rng.uniform(0.75, 1.0), rng.uniform(1.5, 2.3)
    body = state.look(Material.METAL, pick(rng, LIVERIES))
    rear, nose = -length / 2, length / 2 - 1.0
    return join(
        [
            box((nose - rear, 2 * half, height - 0.55), ((rear + nose) / 2, 0.0, (height + 0.55) / 2), body),
            axle(state, (rear + nose) / 2 - 0.1, half + 0.16, 0.30, 0.17),
            pair(state.look(Material.METAL, BLACK), (0.75, 0.22, 0.05), ((rear + nose) / 2 - 0.1, half + 0.07, 0.64)),
            pair(state.tail_lamp(), (0.05, 0.18, 0.09), (rear - 0.01, half - 0.15, 0.62)),
            plate(state, rear - 0.01, 0.7),
            *_drawbar(state, nose, length / 2),
        ]
    )


def _open_trailer(rng: np.random.Generator, state: State) -> Mesh:
    length, half = rng.uniform(2.8, 4.0), rng.uniform(0.65, 0.85)
    side = state.look(Material.METAL, (0.55, 0.56, 0.57))
    rear, nose = -length / 2, length / 2 - 1.0
    middle, top = (rear + nose) / 2, rng.uniform(0.85, 1.0)
    parts = [box((nose - rear, 2 * half, 0.06), (middle, 0.0, 0.55), side)]
    parts.append(pair(side, (nose - rear, 0.04, top - 0.55), (middle, half - 0.02, (top + 0.55) / 2)))
    parts += [box((0.04, 2 * half, top - 0.55), (x, 0.0, (top + 0.55) / 2), side) for x in (rear + 0.02, nose - 0.02)]
    if rng.random() < 0.5:  # loaded, under a sheet
        heap, crest = (rear + 0.05, nose - 0.05, -half + 0.05, half - 0.05), (rear + 0.5, nose - 0.4, -0.3, 0.3)
        parts.append(
            frustum(heap, crest, (top, top + rng.uniform(0.2, 0.6)), state.look(Material.CLOTH, (0.2, 0.3, 0.4)))
        )
    parts.append(axle(state, middle - 0.1, half + 0.18, 0.28, 0.16))
    parts.append(pair(state.tail_lamp(), (0.05, 0.18, 0.09), (rear - 0.01, half - 0.15, 0.52)))
    return join([*parts, *_drawbar(state, nose, length / 2)])


def _tractor(rng: np.random.Generator, state: State) -> Mesh:
    paint = state.look(Material.CAR_PAINT, pick(rng, ((0.12, 0.35, 0.12), (0.60, 0.10, 0.08), (0.15, 0.28, 0.5))))
    glass, dark = state.look(Material.GLASS, GLASS), state.look(Material.METAL, BLACK)
    yellow = (0.75, 0.62, 0.1)
    parts = [axle(state, -1.05, 1.05, 0.78, 0.45), axle(state, 1.25, 0.95, 0.5, 0.32)]
    parts.append(frustum((0.25, 1.95, -0.36, 0.36), (0.25, 1.85, -0.30, 0.30), (0.75, 1.55), paint))
    parts.append(frustum((-1.35, 0.3, -0.62, 0.62), (-1.2, 0.2, -0.60, 0.60), (0.95, 1.50), paint))
    parts.append(frustum((-1.2, 0.2, -0.60, 0.60), (-1.1, 0.05, -0.62, 0.62), (1.50, 2.45), glass))
    parts.append(box((1.5, 1.4, 0.14), (-0.5, 0.0, 2.52), paint))
    for x0, x1 in ((-1.2, -1.1), (0.2, 0.05)):
        parts += [tube((x0, 0.61 * side, 1.5), (x1, 0.63 * side, 2.46), (0.05, 0.05), dark, 4) for side in (-1, 1)]
    parts.append(pair(paint, (1.2, 0.45, 0.06), (-1.05, 0.83, 1.64)))  # mudguards
    parts.append(tube((1.0, 0.30, 1.5), (1.0, 0.30, 2.35), (0.04, 0.04), dark, 6))  # exhaust
    parts.append(box((3.0, 0.5, 0.4), (0.2, 0.0, 0.75), dark))
    parts.append(lights(state, (1.93, 0.22, 1.15), (-1.72, 0.85, 1.35), False, bow=0.0))
    parts.append(tube((-0.5, 0.5, 2.59), (-0.5, 0.5, 2.72), (0.06, 0.05), state.look(Material.GLASS, yellow), 6))
    return join(parts)
