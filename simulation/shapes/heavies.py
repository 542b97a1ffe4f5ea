"""Trucks, buses, tractors, and what is towed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from simulation.shapes.bodywork import Lines, Panes, axle, lights, mirrors, pair, plate, skin
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Mesh, box, frustum, join, tube
from simulation.shapes.palette import BLACK, GLASS, RGB, pick, pick_paint
from simulation.shapes.state import State

_LIVERIES: tuple[RGB, ...] = (
    (0.88, 0.88, 0.86), (0.70, 0.72, 0.75), (0.16, 0.30, 0.55), (0.75, 0.55, 0.08), (0.55, 0.08, 0.08),
    (0.12, 0.33, 0.20),
)  # fmt: skip


def truck(rng: np.random.Generator, state: State) -> Mesh:
    """A box lorry, a tipper, or an articulated lorry with its trailer: 6-14 m long."""
    kind = rng.choice(["box", "tipper", "articulated"], p=[0.6, 0.25, 0.15])
    length = {"box": rng.uniform(6.0, 9.5), "tipper": rng.uniform(6.2, 8.0), "articulated": rng.uniform(12.5, 14.0)}[
        kind
    ]
    half, radius = rng.uniform(1.14, 1.25), rng.uniform(0.42, 0.50)
    front, rear = length / 2, -length / 2
    cab_m = rng.uniform(1.6, 1.9) if kind != "articulated" else 2.2
    cab_top = rng.uniform(2.5, 2.9) if kind != "articulated" else rng.uniform(3.2, 3.7)
    paint = state.look(Material.CAR_PAINT, pick(rng, _LIVERIES) if rng.random() < 0.6 else pick_paint(rng))
    back, dark = front - cab_m, state.look(Material.METAL, BLACK)
    aft = rear + rng.uniform(1.2, 1.7)
    axles = [front - 1.25, aft] if kind == "box" else [front - 1.25, aft, aft + 1.25 * (2 * radius / 0.92)]
    parts = [
        _cab(state, rng, front, back, half, cab_top, paint),
        frustum((rear + 0.3, back + 0.2, -0.42, 0.42), (rear + 0.3, back + 0.2, -0.42, 0.42), (0.62, 0.95), dark),
        *(axle(state, x, half - 0.02, radius, 0.30) for x in axles),
        lights(state, (front + 0.02, 0.72 * half, 0.75), (rear + 0.02, 0.78 * half, 0.90), False, bow=0.1),
        plate(state, front + 0.03, 0.55),
        plate(state, rear + 0.0, 0.72),
        box((0.08, 2 * half - 0.2, 0.12), (rear + 0.08, 0.0, 0.55), dark),  # under-run guard
    ]
    load = pick(rng, _LIVERIES)
    if kind == "tipper":
        parts.append(_tub(state, rear, back - 0.15, half, rng.uniform(1.9, 2.4), load))
    else:
        top = rng.uniform(2.9, 3.7) if kind == "box" else rng.uniform(3.7, 4.0)
        material = Material.CLOTH if rng.random() < 0.4 else Material.METAL  # tarpaulin or panels
        start = back - (0.12 if kind == "box" else 0.5)
        skirt = 0.98
        parts.append(
            box(
                (start - rear, 2 * half, top - skirt),
                ((start + rear) / 2, 0.0, (top + skirt) / 2),
                state.look(material, load),
            )
        )
        parts.append(box((0.03, 2 * half - 0.1, 0.06), (rear - 0.005, 0.0, 1.5), dark))  # tail lift
        if kind == "articulated":
            parts.append(axle(state, front - 4.2, half - 0.02, radius, 0.5))  # the tractor's driven axle
    tank_x = (axles[0] + axles[-1]) / 2 + 0.3
    parts.append(pair(state.look(Material.METAL, (0.5, 0.5, 0.52)), (0.9, 0.45, 0.42), (tank_x, half - 0.3, 0.62)))
    if kind != "tipper":
        parts.append(
            pair(dark, (0.6 * (axles[0] - axles[1]), 0.04, 0.30), ((axles[0] + axles[1]) / 2 - 0.4, half - 0.06, 0.62))
        )
    return join(parts)


def _cab(state: State, rng: np.random.Generator, front: float, back: float, half: float, top: float, paint) -> Mesh:
    waist, lean = 1.45, rng.uniform(0.10, 0.25)
    sill = 0.42
    lines = Lines(
        floor=((back, 0.80), (front - 1.72, 0.80), (front - 0.6, sill), (front, sill)),
        waist=((back, waist), (front, waist - 0.08)),
        roof=(
            (back, top - 0.06),
            (back + 0.3, top - 0.02),
            (front - lean - 0.25, top - 0.02),
            (front - lean, top - 0.20),
            (front - 0.04, waist + 0.02),
            (front, waist - 0.05),
        ),
        width=((back, half - 0.02), (front - 0.25, half - 0.02), (front, 0.86 * half)),
        shoulder=((back, half - 0.08), (front - lean, half - 0.16), (front - 0.04, half - 0.12), (front, 0.80 * half)),
    )
    panes = Panes(((max(back + 0.3, front - 1.45), front - lean - 0.15),), ((front - lean + 0.01, front - 0.05),))
    dark = state.look(Material.METAL, BLACK)
    return join(
        [
            skin(state, lines, panes, paint, ((front - 1.25, 0.58),)),
            box((0.05, 1.2 * half, 0.45), (front - 0.005, 0.0, 1.05), dark),  # grille
            box((0.12, 1.75 * half, 0.30), (front - 0.04, 0.0, 0.60), dark),  # bumper
            mirrors(state, front - 0.12, half + 0.02, 1.85, (0.10, 0.16, 0.55), dark),
        ]
    )


def _tub(state: State, rear: float, front: float, half: float, top: float, rgb: RGB) -> Mesh:
    """A tipper's open tub with ribs, and its load of earth."""
    steel, earth = state.look(Material.METAL, rgb), state.look(Material.GRAVEL, (0.42, 0.35, 0.27))
    low, w = 1.05, half - 0.04
    parts = [box((front - rear, 2 * w, 0.08), ((front + rear) / 2, 0.0, low), steel)]
    parts.append(pair(steel, (front - rear, 0.06, top - low), ((front + rear) / 2, w - 0.03, (top + low) / 2)))
    parts += [box((0.06, 2 * w, top - low), (x, 0.0, (top + low) / 2), steel) for x in (rear + 0.03, front - 0.03)]
    parts.append(pair(steel, (front - rear, 0.10, 0.08), ((front + rear) / 2, w, top)))
    for x in np.arange(rear + 0.5, front - 0.2, 0.8):
        parts.append(pair(steel, (0.08, 0.06, top - low), (float(x), w + 0.02, (top + low) / 2)))
    heap = (rear + 0.3, front - 0.3, -w + 0.2, w - 0.2)
    crest = (rear + 1.2, front - 1.2, -0.25, 0.25)
    return join([*parts, frustum(heap, crest, (low, top + 0.15), earth)])


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
    band = box(
        (0.06, 1.7, 0.26), (front - 0.28, 0.0, top - 0.14), state.lamp((1.0, 0.62, 0.1), 0.7 if state.lights else 0.0)
    )
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


def trailer(rng: np.random.Generator, state: State) -> Mesh:
    """What SemanticKITTI calls other-vehicle: caravans, boxes and open trailers, now and then a tractor."""
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
    body = state.look(Material.METAL, pick(rng, _LIVERIES))
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
