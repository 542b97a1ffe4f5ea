"""Traffic signs: faces of several shapes and sizes on their posts. They face -x.

Faces are SemanticKITTI's traffic-sign (81), front and back; posts are pole (80).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, mesh, tube
from simulation.shapes.palette import RGB, pick

_RED, _BLUE, _WHITE = (0.75, 0.06, 0.06), (0.06, 0.18, 0.55), (0.90, 0.90, 0.88)
_YELLOW, _BLACK = (0.90, 0.72, 0.05), (0.06, 0.06, 0.06)
_THICK_M = 0.02


RightOfWay = Literal["give way", "stop", "priority"]


def sign(rng: np.random.Generator, kind: RightOfWay | None = None) -> Mesh:
    """A traffic sign on a post; sometimes a second plate hangs below it.

    ``kind``: the sign of who goes first that a junction needs; without it, any of the others.
    """
    height = rng.uniform(2.1, 2.7)
    if kind is None:
        makers = (_prohibition, _mandatory, _warning, _square, _direction)
        make = makers[int(rng.choice(len(makers), p=(0.3, 0.1, 0.14, 0.32, 0.14)))]
    else:
        make = {"give way": _give_way, "stop": _stop, "priority": _priority}[kind]
    if make is _direction:
        return _direction(rng, height)
    parts = [make(rng, height), _post(height + 0.35)]
    if rng.random() < 0.35:
        parts.append(_rectangle(0.42, 0.25, height - 0.55, _WHITE, _BLACK))
    return join(parts)


def _post(top: float, y: float = 0.0) -> Mesh:
    return tube((0, y, 0), (0, y, top), (0.035, 0.035), Look(80, Material.METAL, (0.55, 0.56, 0.57)), 7)


def _plate(outline: np.ndarray, z: float, rgb: RGB, front: float) -> Mesh:
    """A flat solid with ``outline`` [N,2] of (y, z) round its middle, its face at x = ``front``: sheet metal behind."""
    n = len(outline)
    at = np.column_stack([np.full(n, front), outline[:, 0], outline[:, 1] + z])
    vertices = np.concatenate([at, at + np.array([_THICK_M, 0.0, 0.0])])
    k = np.arange(n)
    j = (k + 1) % n
    fan = np.stack([np.zeros(n - 2, int), k[1:-1], k[2:]], 1)
    rim = np.concatenate([np.stack([k, j, n + j], 1), np.stack([k, n + j, n + k], 1)])
    grey = Look(81, Material.METAL, (0.5, 0.51, 0.52))
    metal = mesh(vertices, np.concatenate([fan[:, ::-1] + n, rim]), grey)
    return join([mesh(at, fan, Look(81, Material.RETRO, rgb)), metal])


def _regular(sides: int, radius: float, turn: float = 0.0) -> np.ndarray:
    angle = np.arange(sides) * (2 * np.pi / sides) + turn
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def _layers(outline: np.ndarray, z: float, rgbs: tuple[tuple[float, RGB], ...]) -> Mesh:
    """The same outline in several sizes, each smaller one a little before the last."""
    return join([_plate(scale * outline, z, rgb, -0.06 - 0.004 * k) for k, (scale, rgb) in enumerate(rgbs)])


def _prohibition(rng: np.random.Generator, z: float) -> Mesh:
    disc = _regular(20, rng.uniform(0.30, 0.38))
    face = _layers(disc, z, ((1.0, _RED), (0.78, _WHITE if rng.random() < 0.7 else _BLUE)))
    if rng.random() < 0.6:  # digits, or a symbol
        face = join(
            [
                face,
                *(box((0.006, 0.09, 0.26), (-0.069, y, z), Look(81, Material.PLASTER, _BLACK)) for y in (-0.09, 0.09)),
            ]
        )
    return face


def _mandatory(rng: np.random.Generator, z: float) -> Mesh:
    face = _layers(_regular(20, 0.30), z, ((1.0, _WHITE), (0.95, _BLUE)))
    return join([face, box((0.006, 0.07, 0.34), (-0.069, 0.0, z), Look(81, Material.RETRO, _WHITE))])


def _warning(rng: np.random.Generator, z: float) -> Mesh:
    face = _layers(_regular(3, rng.uniform(0.45, 0.55), np.pi / 2), z, ((1.0, _RED), (0.72, _WHITE)))
    return join([face, box((0.006, 0.07, 0.24), (-0.069, 0.0, z), Look(81, Material.PLASTER, _BLACK))])


def _give_way(rng: np.random.Generator, z: float) -> Mesh:
    return _layers(_regular(3, rng.uniform(0.45, 0.52), -np.pi / 2), z, ((1.0, _RED), (0.70, _WHITE)))


def _priority(rng: np.random.Generator, z: float) -> Mesh:
    return _layers(_regular(4, 0.42), z, ((1.0, _WHITE), (0.9, _BLACK), (0.86, _WHITE), (0.6, _YELLOW)))


def _stop(rng: np.random.Generator, z: float) -> Mesh:
    face = _layers(_regular(8, 0.45, np.pi / 8), z, ((1.0, _WHITE), (0.95, _RED)))
    return join([face, box((0.006, 0.60, 0.16), (-0.069, 0.0, z), Look(81, Material.RETRO, _WHITE))])


def _square(rng: np.random.Generator, z: float) -> Mesh:
    """Parking, crossing, one-way street, town."""
    wide, high, rgb, ink = pick(
        rng,
        (
            (0.60, 0.60, _BLUE, _WHITE),
            (0.42, 0.63, _BLUE, _WHITE),
            (0.80, 0.30, _BLUE, _WHITE),
            (1.00, 0.65, _YELLOW, _BLACK),
            (0.60, 0.90, _WHITE, _BLACK),
        ),
    )
    return _rectangle(wide, high, z, rgb, ink)


def _rectangle(wide: float, high: float, z: float, rgb: RGB, ink: RGB) -> Mesh:
    corners = np.array([(-wide / 2, -high / 2), (wide / 2, -high / 2), (wide / 2, high / 2), (-wide / 2, high / 2)])
    face = _layers(corners, z, ((1.0, ink), (0.94, rgb)))
    return join([face, box((0.006, 0.5 * wide, 0.35 * high), (-0.069, 0.0, z), Look(81, Material.RETRO, ink))])


def _direction(rng: np.random.Generator, z: float) -> Mesh:
    """A direction sign on two posts."""
    wide, high = rng.uniform(1.3, 2.6), rng.uniform(0.45, 1.3)
    rgb = pick(rng, (_YELLOW, _WHITE, _BLUE))
    ink = _WHITE if rgb is _BLUE else _BLACK
    corners = np.array([(-wide / 2, -high / 2), (wide / 2, -high / 2), (wide / 2, high / 2), (-wide / 2, high / 2)])
    parts = [_layers(corners, z + high / 2, ((1.0, ink), (0.97, rgb)))]
    look = Look(81, Material.RETRO, ink)
    for row in np.arange(0.22, high - 0.05, 0.3):
        span = rng.uniform(0.4, 0.75) * wide
        parts.append(box((0.006, span, 0.10), (-0.069, 0.45 * (wide - 0.1) - span / 2, z + float(row)), look))
    return join([*parts, _post(z + high, 0.3 * wide), _post(z + high, -0.3 * wide)])
