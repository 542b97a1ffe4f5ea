"""What the town sets up along a street: lamps, signals, and what else stands on a pavement.

Lamps, poles and posts are SemanticKITTI's pole (80); the rest is other-object (99). Signs: :mod:`signs`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, join, tube
from simulation.shapes.palette import BLACK, RGB, pick
from simulation.shapes.plants import bush

Signal = Literal["red", "amber", "green", "off"]
_LENSES: tuple[tuple[str, float, RGB], ...] = (
    ("red", 0.30, (1.0, 0.08, 0.05)),
    ("amber", 0.0, (1.0, 0.62, 0.08)),
    ("green", -0.30, (0.1, 0.95, 0.55)),
)
_STEELS: tuple[RGB, ...] = ((0.35, 0.37, 0.36), (0.52, 0.53, 0.53), (0.14, 0.19, 0.17), (0.20, 0.21, 0.23))
_WARM: RGB = (1.0, 0.82, 0.55)


def signal_head(state: Signal) -> Mesh:
    """A traffic light's head, its lenses facing -x; the origin is the middle of its back, where the pole holds it."""
    housing = Look(80, Material.METAL, BLACK)
    parts = [box((0.20, 0.32, 0.96), (-0.10, 0.0, 0.0), housing)]
    for name, z, rgb in _LENSES:
        on = state == name
        lens = Look(80, Material.LAMP if on else Material.GLASS, rgb if on else tuple(0.18 * c for c in rgb))
        parts.append(tube((-0.225, 0.0, z), (-0.20, 0.0, z), (0.10, 0.105), lens, 12))
        parts.append(box((0.16, 0.26, 0.02), (-0.28, 0.0, z + 0.12), housing))  # its hood
    return join(parts)


def lamp(rng: np.random.Generator) -> Mesh:
    """A street lamp, 3.5-9 m tall; its arm reaches out along +x. Its lens is of the lamps' material: it shines."""
    steel, lens = Look(80, Material.METAL, pick(rng, _STEELS)), Look(80, Material.LAMP, _WARM)
    kind = rng.choice(["arm", "bow", "lantern"], p=[0.5, 0.3, 0.2])
    foot = tube((0, 0, 0), (0, 0, 1.1), (0.10, 0.095), steel, 8)
    if kind == "lantern":
        height = rng.uniform(3.5, 4.5)
        pole = tube((0, 0, 1.1), (0, 0, height), (0.06, 0.045), steel)
        glass = tube((0, 0, height), (0, 0, height + 0.35), (0.13, 0.19), lens, 8)
        return join([foot, pole, glass, tube((0, 0, height + 0.35), (0, 0, height + 0.5), (0.24, 0.05), steel, 8)])
    height, reach = rng.uniform(5.5, 9.0), rng.uniform(0.4, 1.8)
    parts = [foot, tube((0, 0, 1.1), (0, 0, height), (0.085, 0.05), steel)]
    tip = np.array([reach, 0.0, height + 0.15])
    if kind == "bow":
        bend = np.array([0.35 * reach, 0.0, height + 0.6])
        tip = np.array([reach, 0.0, height + 0.5])
        parts += [tube((0, 0, height), bend, (0.05, 0.045), steel, 6), tube(bend, tip, (0.045, 0.04), steel, 6)]
    else:
        parts.append(tube((0, 0, height - 0.05), tip, (0.05, 0.04), steel, 6))
    head = tip + np.array([0.25, 0.0, 0.0])
    base, roof = (-0.32, 0.32, -0.13, 0.13), (-0.22, 0.26, -0.07, 0.07)
    parts.append(frustum(base, roof, (-0.03, 0.10), steel).placed(*head))
    return join([*parts, box((0.46, 0.19, 0.04), head - (0, 0, 0.05), lens)])


def clutter(rng: np.random.Generator) -> Mesh:
    """One of the things that stand on a pavement; its back is at +y."""
    makers = (_wheeled_bin, _litter_bin, _cabinet, _bench, _column, _bollard, _hydrant, _planter, _letter_box)
    share = np.array([0.22, 0.12, 0.2, 0.12, 0.06, 0.14, 0.05, 0.05, 0.04])
    return makers[int(rng.choice(len(makers), p=share / share.sum()))](rng)


def _steel(rng: np.random.Generator, label: int = 99) -> Look:
    return Look(label, Material.METAL, pick(rng, _STEELS))


def _wheeled_bin(rng: np.random.Generator) -> Mesh:
    body = Look(
        99, Material.RUBBER, pick(rng, ((0.13, 0.14, 0.15), (0.12, 0.30, 0.16), (0.15, 0.25, 0.5), (0.4, 0.28, 0.15)))
    )
    lid = Look(99, Material.RUBBER, pick(rng, ((0.13, 0.14, 0.15), (0.75, 0.6, 0.1), (0.15, 0.25, 0.5))))
    wheels = [tube((x - 0.03, 0.25, 0.10), (x + 0.03, 0.25, 0.10), (0.10, 0.10), body, 8) for x in (-0.25, 0.25)]
    shell = frustum((-0.23, 0.23, -0.22, 0.22), (-0.29, 0.29, -0.30, 0.33), (0.04, 0.96), body)
    return join([shell, frustum((-0.30, 0.30, -0.32, 0.36), (-0.27, 0.27, -0.25, 0.34), (0.96, 1.07), lid), *wheels])


def _litter_bin(rng: np.random.Generator) -> Mesh:
    look = _steel(rng)
    post = tube((0, 0.15, 0), (0, 0.15, 1.2), (0.035, 0.035), look, 6)
    return join([post, tube((0, 0, 0.45), (0, 0, 1.0), (0.17, 0.20), look, 10)])


def _cabinet(rng: np.random.Generator) -> Mesh:
    look = Look(99, Material.METAL, pick(rng, ((0.52, 0.54, 0.50), (0.40, 0.42, 0.42), (0.62, 0.60, 0.54))))
    wide, high = rng.uniform(0.7, 1.6), rng.uniform(1.0, 1.5)
    plinth = look._replace(rgb=(0.25, 0.25, 0.25))
    seam = box((0.02, 0.02, 0.8 * high), (0.0, -0.185, 0.1 + high / 2), plinth)
    shell = box((wide, 0.36, high - 0.1), (0, 0, 0.1 + (high - 0.1) / 2), look)
    lid = frustum(
        (-wide / 2 - 0.03, wide / 2 + 0.03, -0.21, 0.21), (-wide / 2, wide / 2, -0.18, 0.2), (high, high + 0.06), look
    )
    return join([box((wide - 0.06, 0.32, 0.1), (0, 0, 0.05), plinth), shell, lid, seam])


def _bench(rng: np.random.Generator) -> Mesh:
    steel, wood = _steel(rng), Look(99, Material.WOOD, (0.45, 0.33, 0.22))
    slats = [box((1.7, 0.12, 0.04), (0, y, 0.45), wood) for y in (-0.17, -0.02, 0.13)]
    slats += [box((1.7, 0.04, 0.12), (0, 0.22, z), wood) for z in (0.62, 0.80)]
    legs = [box((0.06, 0.42, 0.43), (x, 0, 0.215), steel) for x in (-0.65, 0.65)]
    return join([*slats, *legs, *(box((0.06, 0.04, 0.5), (x, 0.25, 0.65), steel) for x in (-0.65, 0.65))])


def _column(rng: np.random.Generator) -> Mesh:
    """An advertising column."""
    base, paper = (
        Look(99, Material.PLASTER, (0.45, 0.45, 0.46)),
        Look(99, Material.CLOTH, tuple(rng.uniform(0.3, 0.8, 3))),
    )
    body = tube((0, 0, 0.4), (0, 0, 2.6), (0.58, 0.58), paper, 14)
    return join(
        [
            tube((0, 0, 0), (0, 0, 0.4), (0.66, 0.62), base, 14),
            body,
            tube((0, 0, 2.6), (0, 0, 3.0), (0.68, 0.25), base, 14),
        ]
    )


def _bollard(rng: np.random.Generator) -> Mesh:
    look, band = _steel(rng, 80), Look(80, Material.RETRO, pick(rng, ((0.8, 0.1, 0.1), (0.9, 0.9, 0.88))))
    high = rng.uniform(0.8, 1.1)
    parts = [
        tube((0, 0, 0), (0, 0, high), (0.06, 0.055), look),
        tube((0, 0, high), (0, 0, high + 0.05), (0.065, 0.02), look),
    ]
    return join([*parts, tube((0, 0, high - 0.2), (0, 0, high - 0.08), (0.063, 0.063), band)])


def _hydrant(rng: np.random.Generator) -> Mesh:
    red = Look(99, Material.CAR_PAINT, pick(rng, ((0.6, 0.08, 0.06), (0.15, 0.25, 0.5))))
    arms = [tube((0, 0, 0.6), (0, 0.19 * side, 0.6), (0.06, 0.06), red, 7) for side in (-1, 1)]
    return join(
        [
            tube((0, 0, 0), (0, 0, 0.75), (0.13, 0.11), red, 9),
            tube((0, 0, 0.75), (0, 0, 0.9), (0.13, 0.04), red, 9),
            *arms,
        ]
    )


def _planter(rng: np.random.Generator) -> Mesh:
    stone = Look(99, Material.PLASTER, (0.55, 0.53, 0.5))
    side = rng.uniform(0.45, 0.7)
    tub = frustum((-side, side, -0.4, 0.4), (-1.1 * side, 1.1 * side, -0.45, 0.45), (0.0, 0.55), stone)
    return join([tub, bush(rng, 0.4).placed(0, 0, 0.5)])


def _letter_box(rng: np.random.Generator) -> Mesh:
    yellow, foot = Look(99, Material.CAR_PAINT, (0.85, 0.65, 0.05)), _steel(rng)
    post = tube((0, 0, 0), (0, 0, 0.7), (0.05, 0.05), foot, 7)
    return join([post, box((0.5, 0.35, 0.6), (0, 0, 0.98), yellow), box((0.3, 0.02, 0.05), (0, -0.18, 1.15), foot)])


def barrier(length: float) -> Mesh:
    """A red and white board on two feet along x, 1 m high."""
    count = max(2, round(length / 0.25))
    wide, steel = length / count, Look(99, Material.METAL, (0.4, 0.4, 0.4))
    colours: tuple[RGB, RGB] = ((0.8, 0.12, 0.08), (0.9, 0.9, 0.88))
    parts = [
        box((wide, 0.03, 0.25), ((k + 0.5) * wide - length / 2, 0.0, 0.87), Look(99, Material.RETRO, colours[k % 2]))
        for k in range(count)
    ]
    for x in (0.15 - length / 2, length / 2 - 0.15):
        parts += [box((0.05, 0.5, 0.06), (x, 0, 0.03), steel), box((0.04, 0.04, 0.75), (x, 0, 0.375), steel)]
    return join(parts)


def cone() -> Mesh:
    """A traffic cone, 75 cm high."""
    red, white = Look(99, Material.RETRO, (0.85, 0.22, 0.06)), Look(99, Material.RETRO, (0.9, 0.9, 0.88))
    bands = [(0.04, 0.30, 0.16, 0.11, red), (0.30, 0.46, 0.11, 0.08, white), (0.46, 0.58, 0.08, 0.055, red)]
    bands += [(0.58, 0.68, 0.055, 0.04, white), (0.68, 0.75, 0.04, 0.025, red)]
    return join(
        [
            box((0.38, 0.38, 0.04), (0, 0, 0.02), red),
            *(tube((0, 0, a), (0, 0, b), (r, q), look, 9) for a, b, r, q, look in bands),
        ]
    )


def shelter(depth: float = 1.4) -> Mesh:
    """A bus shelter 4 m long, open on its -y side."""
    frame, pane = Look(99, Material.METAL, (0.25, 0.27, 0.28)), Look(99, Material.GLASS, (0.3, 0.36, 0.4))
    wood, poster = Look(99, Material.WOOD, (0.4, 0.3, 0.2)), Look(99, Material.CLOTH, (0.55, 0.35, 0.3))
    parts = [box((4.2, depth, 0.10), (0, 0, 2.4), frame), box((3.9, 0.03, 1.9), (0, depth / 2 - 0.05, 1.25), pane)]
    parts += [box((0.03, depth - 0.3, 1.9), (x, 0.1, 1.25), look) for x, look in ((-1.95, pane), (1.95, poster))]
    parts += [box((0.07, 0.07, 2.4), (x, depth / 2 - 0.08, 1.2), frame) for x in (-1.95, 0.0, 1.95)]
    parts += [box((0.07, 0.30, 0.45), (x, 0.3, 0.225), frame) for x in (-1.0, 1.0)]
    return join([*parts, box((2.4, 0.35, 0.06), (0.0, 0.3, 0.45), wood)])
