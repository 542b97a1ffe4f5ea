"""Houses: walls with real openings, doors, shop fronts, balconies, roofs of several kinds; sheds and garages.

A house's front is its -y side at y = 0. Panes are of glass and lie behind the wall's face, as they do in a real wall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulation.shapes.facade import Facade, Opening, draw_windows, wall
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, loft, tube
from simulation.shapes.palette import BLACK, BRICKS, PLASTERS, RGB, ROOFS, pick

LABEL = 50
_FOUNDATION_M = 1.0  # walls reach this far below ground: streets slope


class _Style(NamedTuple):
    """What is the same all over one house."""

    wall: Look
    trim: Look  # frames, sills, cornices
    roof: Look
    storey_m: float
    storeys: int


def house(rng: np.random.Generator, size: tuple[float, float, float], flat: bool) -> Mesh:
    """A building whose front is its -y side at y=0.

    ``size``: length along the street, depth, height of the walls (metres). ``flat``: no slope on its roof.
    """
    length, depth, height = size
    storeys = max(1, round(height / 3.1))
    brick = rng.random() < 0.3
    trim: RGB = pick(rng, ((0.85, 0.85, 0.83), (0.75, 0.72, 0.65), (0.45, 0.32, 0.22)))
    style = _Style(
        Look(LABEL, Material.BRICK if brick else Material.PLASTER, pick(rng, BRICKS if brick else PLASTERS)),
        Look(LABEL, Material.PLASTER, trim),
        Look(LABEL, Material.ROOF, pick(rng, ROOFS)),
        height / storeys,
        storeys,
    )
    front = draw_windows(rng, length, height, storeys, door=True, shop=storeys >= 3 and rng.random() < 0.35)
    back = draw_windows(rng, length, height, storeys, door=False, shop=False)
    ends = [draw_windows(rng, depth, height, storeys, door=False, shop=False, share=0.5) for _ in range(2)]
    parts = [
        _wall(style, front, 0.0, 0.0, 0.0),
        _wall(style, back, 0.0, depth, np.pi),
        _wall(style, ends[0], length / 2, depth / 2, np.pi / 2),
        _wall(style, ends[1], -length / 2, depth / 2, -np.pi / 2),
        *_ornaments(rng, style, front, length, height),
    ]
    roof = _flat_roof if flat else (_gable, _gable, _hip, _mansard)[int(rng.integers(4))]
    return join([*parts, *roof(rng, style, length, depth, height), *_pipes(style, length, height)])


def _wall(style: _Style, facade: Facade, x: float, y: float, yaw: float) -> Mesh:
    return wall(facade, style.wall, style.trim, _FOUNDATION_M).placed(x, y, 0.0, yaw)


def _ornaments(rng: np.random.Generator, style: _Style, front: Facade, length: float, height: float) -> list[Mesh]:
    """What stands out of the front: plinth, cornice, bands, sills, steps and canopy, balconies."""
    parts = []
    if rng.random() < 0.5:
        plinth = style.wall._replace(rgb=tuple(0.7 * c for c in style.wall.rgb))
        gaps = sorted(opening.x for opening in front.openings if opening.z[0] < 0.4)
        edges = [-length / 2, *(x for gap in gaps for x in gap), length / 2]
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            if b - a > 0.1:
                parts.append(box((b - a, 0.10, 1.4), ((a + b) / 2, 0.0, -0.2), plinth))
    if rng.random() < 0.5:
        parts.append(box((length, 0.30, 0.22), (0.0, 0.0, height - 0.12), style.trim))
    if style.storeys >= 3 and rng.random() < 0.5:
        parts.append(box((length, 0.16, 0.16), (0.0, 0.0, style.storey_m), style.trim))
    balconies = style.storeys >= 2 and rng.random() < 0.4
    for opening in front.openings:
        (x0, x1), (z0, z1) = opening.x, opening.z
        if opening.kind == "window" and z1 - z0 < 2.0:
            parts.append(box((x1 - x0 + 0.16, 0.20, 0.05), ((x0 + x1) / 2, -0.02, z0 - 0.02), style.trim))
        if opening.kind == "door":
            parts.append(box((x1 - x0 + 0.5, 0.8, z0 + 0.3), ((x0 + x1) / 2, -0.3, (z0 - 0.3) / 2), style.trim))
            if rng.random() < 0.6:
                parts.append(box((x1 - x0 + 0.7, 0.9, 0.08), ((x0 + x1) / 2, -0.40, z1 + 0.25), style.trim))
        if balconies and opening.kind == "window" and z0 > 2.5 and rng.random() < 0.35:
            parts += _balcony(style, opening)
    if style.storeys >= 2 and rng.random() < 0.2:  # a bay
        wide, out = rng.uniform(2.2, 3.2), rng.uniform(0.6, 1.1)
        x, top = rng.uniform(-0.3, 0.3) * length, style.storey_m * style.storeys - 0.2
        bay = draw_windows(rng, wide, top - style.storey_m, style.storeys - 1, door=False, shop=False)
        parts.append(
            box((wide, out, top - style.storey_m), (x, -out / 2 + 0.16, (top + style.storey_m) / 2), style.wall)
        )
        parts.append(wall(bay, style.wall, style.trim, 0.0).placed(x, -out, style.storey_m))
        for side in (-1, 1):
            cheek = box(
                (0.05, 0.2, top - style.storey_m),
                (x + side * (wide / 2 - 0.025), 0.1 - out, (top + style.storey_m) / 2),
                style.wall,
            )
            parts.append(cheek)
    return parts


def _balcony(style: _Style, opening: Opening) -> list[Mesh]:
    (x0, x1), (z0, _) = opening.x, opening.z
    x, wide, floor, out = (x0 + x1) / 2, x1 - x0 + 1.6, z0 - 0.85, 1.2
    rail = Look(LABEL, Material.METAL, (0.3, 0.31, 0.32))
    parts = [box((wide, out + 0.1, 0.16), (x, -out / 2, floor - 0.08), style.trim)]
    parts += [box((wide, 0.04, 0.05), (x, -out, floor + z), rail) for z in (0.12, 1.0)]
    parts += [box((0.04, out, 0.05), (x + side * wide / 2, -out / 2, floor + 1.0), rail) for side in (-1, 1)]
    posts = np.linspace(x - wide / 2, x + wide / 2, max(6, int(wide / 0.3)))
    return [*parts, *(box((0.025, 0.025, 0.9), (float(px), -out, floor + 0.55), rail) for px in posts)]


def _pipes(style: _Style, length: float, height: float) -> list[Mesh]:
    """A rain pipe down the front's corner."""
    zinc = Look(LABEL, Material.METAL, (0.42, 0.43, 0.44))
    return [tube((length / 2 - 0.25, -0.07, -0.3), (length / 2 - 0.25, -0.07, height - 0.1), (0.05, 0.05), zinc, 6)]


def _slabs(style: _Style, half: float, sections: list[np.ndarray]) -> list[Mesh]:
    """Roof planes drawn along x between ±``half`` from cross-sections [4,2] of (y, z)."""
    parts = []
    for section in sections:
        rings = np.stack([np.column_stack([np.full(4, x), section]) for x in (-half, half)])
        parts.append(loft(rings, [style.roof]))
    return parts


def _gable(rng: np.random.Generator, style: _Style, length: float, depth: float, height: float) -> list[Mesh]:
    """Two slopes with eaves; the triangles at the ends are wall."""
    rise = rng.uniform(0.30, 0.55) * depth
    pitch = 2 * rise / depth
    triangle = np.array([(0.0, height - 0.02), (depth, height - 0.02), (depth / 2, height + rise)])
    rings = np.stack([np.column_stack([np.full(3, x), triangle]) for x in (-length / 2, length / 2)])
    low, top = height - 0.45 * pitch, height + rise
    near = np.array([(-0.45, low), (depth / 2, top), (depth / 2, top + 0.2), (-0.45, low + 0.2)])
    far = np.array([(depth / 2, top), (depth + 0.45, low), (depth + 0.45, low + 0.2), (depth / 2, top + 0.2)])
    parts = [loft(rings, [style.wall]), *_slabs(style, length / 2 + 0.25, [near, far])]
    parts.append(_chimney(rng, style, length, depth, top))
    if rise > 2.5 and rng.random() < 0.45:
        parts += _dormers(rng, style, length, height, pitch)
    return parts


def _chimney(rng: np.random.Generator, style: _Style, length: float, depth: float, top: float) -> Mesh:
    brick = Look(LABEL, Material.BRICK, BRICKS[0])
    x, y = rng.uniform(-0.35, 0.35) * length, depth * rng.uniform(0.4, 0.6)
    return join([box((0.7, 0.5, 2.4), (x, y, top - 0.3), brick), box((0.8, 0.6, 0.1), (x, y, top + 0.9), style.trim)])


def _dormers(rng: np.random.Generator, style: _Style, length: float, height: float, pitch: float) -> list[Mesh]:
    """Windows in the roof that look at the street."""
    count = int(rng.integers(1, max(2, int(length / 3.5)) + 1))
    pane, parts = Look(LABEL, Material.GLASS, (0.09, 0.11, 0.13)), []
    y, deep = 0.9, 1.35 / pitch
    for x in (np.arange(count) - (count - 1) / 2) * (length / max(count, 1)) * 0.8:
        z = height + pitch * y
        parts.append(box((1.3, deep, 1.35), (float(x), y + deep / 2, z + 0.67), style.wall))
        parts.append(box((0.95, 0.04, 0.9), (float(x), y - 0.005, z + 0.72), pane))
        parts.append(box((1.6, deep + 0.3, 0.12), (float(x), y + deep / 2 - 0.1, z + 1.38), style.roof))
    return parts


def _hip(rng: np.random.Generator, style: _Style, length: float, depth: float, height: float) -> list[Mesh]:
    """Four slopes."""
    rise = rng.uniform(0.28, 0.45) * depth
    out, inset = 0.45, min(0.45 * length, 0.5 * depth)
    eaves = _rectangle(-length / 2 - out, length / 2 + out, -out, depth + out)
    ridge = _rectangle(-length / 2 + inset, length / 2 - inset, depth / 2 - 0.05, depth / 2 + 0.05)
    rings = np.stack([_at(eaves, height - 0.18), _at(eaves, height), _at(ridge, height + rise)])
    return [loft(rings, [style.roof]), _chimney(rng, style, length, depth, height + rise)]


def _mansard(rng: np.random.Generator, style: _Style, length: float, depth: float, height: float) -> list[Mesh]:
    """Steep below, nearly level above."""
    rise = rng.uniform(1.8, 2.6)
    eaves = _rectangle(-length / 2 - 0.1, length / 2 + 0.1, -0.3, depth + 0.3)
    knee = _rectangle(-length / 2 - 0.02, length / 2 + 0.02, 0.6, depth - 0.6)
    top = _rectangle(-length / 2, length / 2, 0.42 * depth, 0.58 * depth)
    rings = np.stack(
        [_at(eaves, height - 0.15), _at(eaves, height), _at(knee, height + rise), _at(top, height + rise + 0.8)]
    )
    pane = Look(LABEL, Material.GLASS, (0.09, 0.11, 0.13))
    parts = [loft(rings, [style.roof]), _chimney(rng, style, length, depth, height + rise + 0.5)]
    for x in np.arange(-length / 2 + 1.5, length / 2 - 1.2, rng.uniform(2.6, 3.6)):
        parts.append(box((1.2, 1.0, 1.5), (float(x), 0.45, height + 0.95), style.trim))
        parts.append(box((0.85, 0.04, 1.1), (float(x), -0.055, height + 0.95), pane))
    return parts


def _flat_roof(rng: np.random.Generator, style: _Style, length: float, depth: float, height: float) -> list[Mesh]:
    """A parapet round a level roof, and what stands on it."""
    rim = style.trim if rng.random() < 0.5 else style.wall
    felt = Look(LABEL, Material.ROOF, (0.35, 0.35, 0.36))
    high = rng.uniform(0.3, 0.9)
    parts = [box((length, depth, 0.2), (0.0, depth / 2, height), felt)]
    parts += [box((length + 0.1, 0.25, high), (0.0, y, height + high / 2 - 0.1), rim) for y in (0.1, depth - 0.1)]
    parts += [
        box((0.25, depth, high), (s * (length / 2 - 0.1), depth / 2, height + high / 2 - 0.1), rim) for s in (-1, 1)
    ]
    if rng.random() < 0.5:
        steel = Look(LABEL, Material.METAL, (0.6, 0.61, 0.62))
        parts.append(box((2.0, 1.5, 1.3), (rng.uniform(-0.3, 0.3) * length, 0.6 * depth, height + 0.7), steel))
    return parts


def _rectangle(x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _at(corners: np.ndarray, z: float) -> np.ndarray:
    return np.column_stack([corners, np.full(4, z)])


def shed(rng: np.random.Generator) -> Mesh:
    """A garden shed or a garage with its door to -y; the origin is the middle of its front."""
    garage = rng.random() < 0.5
    wide, deep, high = (3.0, 5.5, 2.4) if garage else (rng.uniform(2.0, 3.0), rng.uniform(1.8, 2.6), 2.1)
    plaster = Look(LABEL, Material.PLASTER, pick(rng, PLASTERS))
    look = plaster if garage else Look(LABEL, Material.WOOD, pick(rng, ((0.38, 0.27, 0.18), (0.30, 0.33, 0.28))))
    door = Look(LABEL, Material.METAL, (0.75, 0.75, 0.73)) if garage else look._replace(rgb=BLACK)
    roof = Look(LABEL, Material.ROOF, (0.3, 0.29, 0.29))
    span = 0.8 * wide if garage else 0.8
    return join(
        [
            box((wide, deep, high + 0.4), (0.0, deep / 2, (high - 0.4) / 2), look),
            box((span, 0.06, high - 0.3), (0.0, -0.01, (high - 0.3) / 2), door),
            box((wide + 0.3, deep + 0.4, 0.15), (0.0, deep / 2, high + 0.07), roof),
        ]
    )
