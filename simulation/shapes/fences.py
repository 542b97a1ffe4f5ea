"""Fences and walls along gardens (SemanticKITTI's fence, 51)."""

from __future__ import annotations

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, plates
from simulation.shapes.palette import BRICKS, PLASTERS, RGB, pick

_WOODS: tuple[RGB, ...] = ((0.45, 0.33, 0.22), (0.75, 0.73, 0.68), (0.30, 0.30, 0.28), (0.36, 0.30, 0.25))
_KINDS = (
    ("pickets", 0.3, 1.0),
    ("boards", 0.17, 1.7),
    ("wall", 0.23, 0.9),
    ("railing", 0.18, 1.3),
    ("mesh", 0.12, 1.4),
)


def fence(rng: np.random.Generator, length: float) -> Mesh:
    """A garden boundary along x: pickets, boards, a wall with pillars, a railing or welded mesh."""
    name, _, mean_m = _KINDS[int(rng.choice(len(_KINDS), p=[share for _, share, _ in _KINDS]))]
    height = mean_m * rng.uniform(0.85, 1.15)
    length = max(length, 0.3)
    wood = Look(51, Material.WOOD, pick(rng, _WOODS))
    steel = Look(51, Material.METAL, pick(rng, ((0.20, 0.22, 0.20), (0.10, 0.25, 0.15), (0.45, 0.46, 0.47))))
    if name == "wall":
        return _wall(rng, length, height)
    if name == "boards":
        return join(
            [
                _bars(length, height, 0.14, 0.15, wood),
                *_posts(length, height, 0.10, 2.0, wood),
                *_rails(length, height, wood),
            ]
        )
    if name == "pickets":
        return join(
            [
                _bars(length, height, 0.09, 0.17, wood),
                *_posts(length, height, 0.10, 2.2, wood),
                *_rails(length, height, wood),
            ]
        )
    if name == "railing":
        return join(
            [
                _bars(length, height, 0.025, 0.12, steel),
                *_posts(length, height, 0.06, 2.5, steel),
                *_rails(length, height, steel),
            ]
        )
    wires = [box((length, 0.012, 0.012), (0.0, 0.0, z), steel) for z in np.arange(0.1, height, 0.2)]
    return join([_bars(length, height, 0.012, 0.10, steel), *wires, *_posts(length, height + 0.05, 0.06, 2.5, steel)])


def _bars(length: float, height: float, wide: float, pitch: float, look: Look) -> Mesh:
    """Upright boards or bars ``wide`` across, one every ``pitch``, thin as sheets."""
    x = -length / 2 + (np.arange(max(1, int(length / pitch))) + 0.5) * pitch
    zero = np.zeros_like(x)
    edges = ((-wide / 2, 0.06), (wide / 2, 0.06), (wide / 2, height), (-wide / 2, height))
    return plates(np.stack([np.stack([x + dx, zero, zero + z], 1) for dx, z in edges], 1), look)


def _posts(length: float, height: float, side: float, pitch: float, look: Look) -> list[Mesh]:
    x = np.linspace(-length / 2 + side / 2, length / 2 - side / 2, max(2, round(length / pitch) + 1))
    return [box((side, side, height + 0.25), (float(a), 0.04, (height - 0.15) / 2), look) for a in x]


def _rails(length: float, height: float, look: Look) -> list[Mesh]:
    return [box((length, 0.04, 0.07), (0.0, 0.03, z), look) for z in (0.22 * height, 0.82 * height)]


def _wall(rng: np.random.Generator, length: float, height: float) -> Mesh:
    brick = rng.random() < 0.5
    look = Look(51, Material.BRICK if brick else Material.PLASTER, pick(rng, BRICKS if brick else PLASTERS))
    cap = Look(51, Material.PLASTER, (0.6, 0.58, 0.55))
    parts = [
        box((length, 0.22, height + 0.3), (0, 0, (height - 0.3) / 2), look),
        box((length, 0.30, 0.07), (0, 0, height + 0.035), cap),
    ]
    for x in np.linspace(-length / 2 + 0.2, length / 2 - 0.2, max(2, round(length / 3.5) + 1)) if length > 1.0 else ():
        parts.append(box((0.40, 0.36, height + 0.45), (float(x), 0.0, (height - 0.05) / 2), look))
        parts.append(box((0.46, 0.42, 0.08), (float(x), 0.0, height + 0.22), cap))
    return join(parts)
