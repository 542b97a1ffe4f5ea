"""A wall with openings: which windows and doors it has, and the geometry of a wall that is pierced by them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, plates
from simulation.shapes.palette import RGB, pick

_RECESS_M = 0.14  # how deep panes lie behind the wall's face
_PANES: tuple[RGB, ...] = ((0.05, 0.06, 0.07), (0.08, 0.10, 0.12), (0.12, 0.14, 0.16), (0.40, 0.39, 0.36))  # curtains
_DOORS: tuple[RGB, ...] = ((0.32, 0.20, 0.12), (0.14, 0.22, 0.16), (0.55, 0.55, 0.54), (0.45, 0.08, 0.08))
_SHUTTERS: tuple[RGB, ...] = ((0.70, 0.69, 0.66), (0.35, 0.25, 0.17), (0.22, 0.32, 0.26))


class Opening(NamedTuple):
    """A hole in a wall: ``x`` and ``z`` from - to, in the wall's own plane, and what fills it."""

    kind: Literal["window", "door", "shop"]
    x: tuple[float, float]
    z: tuple[float, float]
    filling: Look


class Facade(NamedTuple):
    """A wall of ``length`` (x from -length/2) and ``height`` with its openings, which do not touch."""

    length: float
    height: float
    openings: tuple[Opening, ...]


def draw_windows(
    rng: np.random.Generator, length: float, height: float, storeys: int, *, door: bool, shop: bool, share: float = 1.0
) -> Facade:
    """Windows in line above each other, a ``door`` or a ``shop`` front below; ``share`` of the windows are there."""
    label, storey_m = 50, height / storeys
    axis_m = rng.uniform(2.2, 3.2)
    axes = max(1, int((length - 0.8) / axis_m))
    middle = (np.arange(axes) - (axes - 1) / 2) * (length - 0.6) / axes
    wide = min(rng.uniform(0.9, 1.5), 0.62 * (length - 0.6) / axes)
    sill, head = rng.uniform(0.75, 1.0), min(storey_m - 0.35, rng.uniform(2.15, 2.45))
    shutter = pick(rng, _SHUTTERS)
    entrance = int(rng.integers(axes)) if door else -1
    openings = []
    for storey in range(storeys):
        for k, x in enumerate(middle):
            low, high, span, filling = storey * storey_m + sill, storey * storey_m + head, wide, None
            kind: Literal["window", "door", "shop"] = "window"
            if storey == 0 and k == entrance:
                kind, low, span = "door", 0.14, max(1.05, min(wide, 1.3))
                filling = Look(label, Material.WOOD, pick(rng, _DOORS))
            elif storey == 0 and shop:
                kind, low, span = "shop", 0.35, 0.82 * (length - 0.6) / axes
                filling = Look(label, Material.GLASS, _PANES[1])
            elif rng.random() < 0.08:
                filling = Look(label, Material.WOOD, shutter)
            if filling is None:
                filling = Look(label, Material.GLASS, pick(rng, _PANES))
            if kind != "window" or rng.random() < share:
                openings.append(Opening(kind, (x - span / 2, x + span / 2), (low, high), filling))
    return Facade(length, height, tuple(openings))


def wall(facade: Facade, look: Look, trim: Look, below_m: float) -> Mesh:
    """The wall in the plane y = 0, facing -y: quadrilaterals between the openings, reveals and what fills them."""
    half, openings = facade.length / 2, facade.openings
    x = np.unique(np.round([-half, half, *(v for o in openings for v in o.x)], 4))
    z = np.unique(np.round([-below_m, facade.height, *(v for o in openings for v in o.z)], 4))
    solid = np.ones((len(x) - 1, len(z) - 1), bool)
    for opening in openings:
        i, j = np.searchsorted(x, np.round(opening.x, 4)), np.searchsorted(z, np.round(opening.z, 4))
        solid[i[0] : i[1], j[0] : j[1]] = False
    parts = [plates(_merged(solid, x, z), look)]
    for opening in openings:
        parts += _fill(opening, look, trim)
    return join(parts)


def _merged(solid: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The wall's rectangles [N,4,3]: solid cells of one column, joined upwards as far as they go."""
    corners = []
    for i in range(solid.shape[0]):
        edge = np.flatnonzero(np.diff(np.concatenate([[False], solid[i], [False]])))
        for low, high in edge.reshape(-1, 2):
            corners.append(_upright(x[i], x[i + 1], z[low], z[high], 0.0))
    return np.array(corners)


def _upright(x0: float, x1: float, z0: float, z1: float, y: float) -> list[tuple[float, float, float]]:
    return [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]


def _fill(opening: Opening, look: Look, trim: Look) -> list[Mesh]:
    """Reveals, the pane or the leaf, and its frame."""
    (x0, x1), (z0, z1), deep = opening.x, opening.z, _RECESS_M
    reveals = [
        [(a, 0.0, b), (c, 0.0, d), (c, deep, d), (a, deep, b)]
        for a, b, c, d in ((x0, z0, x1, z0), (x1, z0, x1, z1), (x1, z1, x0, z1), (x0, z1, x0, z0))
    ]
    parts = [plates(np.array(reveals), look), plates(np.array([_upright(x0, x1, z0, z1, deep)]), opening.filling)]
    if opening.filling.material == Material.GLASS:
        bar, y = 0.07, deep - 0.02
        bars = [_upright(x0, x1, z0, z0 + bar, y), _upright(x0, x1, z1 - bar, z1, y)]
        bars += [_upright(x0, x0 + bar, z0, z1, y), _upright(x1 - bar, x1, z0, z1, y)]
        if opening.kind == "window":
            middle = (x0 + x1) / 2
            bars.append(_upright(middle - bar / 2, middle + bar / 2, z0, z1, y))
        parts.append(plates(np.array(bars), trim))
    if opening.kind == "shop":  # its fascia
        sign = trim._replace(rgb=(0.25 + 0.4 * (x0 % 1.0), 0.25, 0.35))
        parts.append(box((x1 - x0 + 0.2, 0.10, 0.45), ((x0 + x1) / 2, -0.05, z1 + 0.30), sign))
    return parts
