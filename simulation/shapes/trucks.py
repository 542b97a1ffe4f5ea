"""Lorries: box bodies, tippers, articulated lorries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulation.shapes.bodywork import Lines, Panes, axle, lights, mirrors, pair, plate, skin
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, join
from simulation.shapes.palette import BLACK, LIVERIES, RGB, pick, pick_paint
from simulation.shapes.state import State

_FRONT_AXLE_M = 1.25  # behind the front


class Form(NamedTuple):
    """A kind of lorry; ranges in metres. ``driven_m``: how far behind the front a further, driven axle is; 0 none."""

    share: float
    length: tuple[float, float]
    cab_m: tuple[float, float]
    cab_top: tuple[float, float]
    body_top: tuple[float, float]
    gap_m: float  # between cab and body
    tandem: bool
    driven_m: float


_FORMS = {
    "box": Form(0.60, (6.0, 9.5), (1.6, 1.9), (2.5, 2.9), (2.9, 3.7), 0.12, False, 0.0),
    "tipper": Form(0.25, (6.2, 8.0), (1.6, 1.9), (2.6, 2.9), (1.9, 2.4), 0.15, True, 0.0),
    "articulated": Form(0.15, (12.5, 14.0), (2.1, 2.3), (3.2, 3.7), (3.7, 4.0), 0.50, True, 4.2),
}


def truck(rng: np.random.Generator, state: State) -> Mesh:
    """A box lorry, a tipper, or an articulated lorry with its trailer: 6-14 m long."""
    kind = str(rng.choice(list(_FORMS), p=[form.share for form in _FORMS.values()]))
    form = _FORMS[kind]
    length, cab_m, cab_top, top = (rng.uniform(*span) for span in form[1:5])
    half, radius = rng.uniform(1.14, 1.25), rng.uniform(0.42, 0.50)
    front, rear = length / 2, -length / 2
    back, dark = front - cab_m, state.look(Material.METAL, BLACK)
    steered, aft = front - _FRONT_AXLE_M, rear + rng.uniform(1.2, 1.7)
    axles = [steered, aft] + ([aft + 2.8 * radius] if form.tandem else [])
    paint = state.look(Material.CAR_PAINT, pick(rng, LIVERIES) if rng.random() < 0.6 else pick_paint(rng))
    middle, frame = (steered + axles[-1]) / 2, (rear + 0.3, back + 0.2, -0.42, 0.42)
    parts = [
        _cab(state, rng, front, back, half, cab_top, paint),
        frustum(frame, frame, (0.62, 0.95), dark),
        *(axle(state, x, half - 0.02, radius, 0.30) for x in axles),
        lights(state, (front + 0.02, 0.72 * half, 0.75), (rear + 0.02, 0.78 * half, 0.90), False, bow=0.1),
        plate(state, front + 0.03, 0.55),
        plate(state, rear, 0.72),
        box((0.08, 2 * half - 0.2, 0.12), (rear + 0.08, 0.0, 0.55), dark),  # under-run guard
        pair(
            state.look(Material.METAL, (0.5, 0.5, 0.52)), (0.9, 0.45, 0.42), (middle + 0.3, half - 0.3, 0.62)
        ),  # tanks
    ]
    if form.driven_m:
        parts.append(axle(state, front - form.driven_m, half - 0.02, radius, 0.5))
    if kind == "tipper":
        return join([*parts, _tub(state, rear, back - form.gap_m, half, top, pick(rng, LIVERIES))])
    parts.append(pair(dark, (0.6 * (steered - aft), 0.04, 0.30), ((steered + aft) / 2 - 0.4, half - 0.06, 0.62)))
    cover = Material.CLOTH if rng.random() < 0.4 else Material.METAL  # tarpaulin or panels
    return join([*parts, _box_body(state, rear, back - form.gap_m, half, top, state.look(cover, pick(rng, LIVERIES)))])


def _box_body(state: State, rear: float, front: float, half: float, top: float, cover: Look) -> Mesh:
    """A closed body with its edges framed, doors at the rear and marker plates along the sides."""
    low, rail = 0.98, state.look(Material.METAL, (0.55, 0.56, 0.57))
    dark, yellow = state.look(Material.METAL, BLACK), state.look(Material.RETRO, (0.85, 0.55, 0.08))
    length, middle, z = front - rear, (front + rear) / 2, (low + top) / 2
    parts = [box((length, 2 * half, top - low), (middle, 0.0, z), cover)]
    parts += [pair(rail, (length + 0.02, 0.05, 0.10), (middle, half, height)) for height in (low + 0.05, top - 0.04)]
    parts += [pair(rail, (0.10, 0.05, top - low), (x, half, z)) for x in (rear + 0.04, front - 0.04)]
    parts += [box((0.03, 0.03, top - low - 0.1), (rear, y, z), dark) for y in (-0.35, 0.0, 0.35)]  # doors and bolts
    parts.append(pair(yellow, (0.12, 0.03, 0.08), (middle, half + 0.005, low - 0.06)))
    return join(parts)


def _cab(
    state: State, rng: np.random.Generator, front: float, back: float, half: float, top: float, paint: Look
) -> Mesh:
    """A cab over its engine: the wind screen stands nearly upright above the bumper."""
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
