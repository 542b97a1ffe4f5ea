"""Triangle meshes that know what they are made of, and the few primitives from which the street is built.

Coordinates are metres, x forward, y left, z up; an object's own origin is on the ground under its centre.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulation.shapes.materials import Material


class Look(NamedTuple):
    """What a surface is: its SemanticKITTI raw label, what it is made of, its RGB colour (0..1)."""

    label: int
    material: Material
    rgb: tuple[float, float, float]


@dataclass(frozen=True)
class Mesh:
    """Triangles with per-triangle attributes.

    ``vertices`` float64 [V,3] metres; ``triangles`` int64 [T,3]; ``label`` uint16 [T]; ``material`` uint8 [T];
    ``rgb`` float32 [T,3]; ``instance`` uint16 [T], 0 where the class has no instances; ``object_id`` int64 [T].
    """

    vertices: np.ndarray
    triangles: np.ndarray
    label: np.ndarray
    material: np.ndarray
    rgb: np.ndarray
    instance: np.ndarray
    object_id: np.ndarray

    def placed(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """The mesh turned by ``yaw`` (radians, about z), then moved."""
        c, s = math.cos(yaw), math.sin(yaw)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return replace(self, vertices=self.vertices @ turn.T + (x, y, z))

    def owned(self, object_id: int, instance: int = 0) -> Mesh:
        """The mesh as one object of the street."""
        n = len(self.triangles)
        return replace(self, instance=np.full(n, instance, np.uint16), object_id=np.full(n, object_id, np.int64))


def mesh(vertices: np.ndarray, triangles: np.ndarray, look: Look) -> Mesh:
    """A mesh of one look, owned by nobody yet."""
    n = len(triangles)
    return Mesh(
        np.asarray(vertices, np.float64),
        np.asarray(triangles, np.int64),
        np.full(n, look.label, np.uint16),
        np.full(n, look.material, np.uint8),
        np.tile(np.array(look.rgb, np.float32), (n, 1)),
        np.zeros(n, np.uint16),
        np.zeros(n, np.int64),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one; attributes stay with their triangles. None at all makes an empty mesh."""
    if not meshes:
        return mesh(np.zeros((0, 3)), np.zeros((0, 3)), Look(0, Material.ASPHALT, (0.0, 0.0, 0.0)))
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.triangles + offset for m, offset in zip(meshes, offsets, strict=True)]),
        *(np.concatenate([getattr(m, name) for m in meshes]) for name in _ATTRIBUTES),
    )


_ATTRIBUTES = ("label", "material", "rgb", "instance", "object_id")

_BOTTOM_TOP = [(0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7)]
_SIDES = [(0, 1, 5), (0, 5, 4), (1, 2, 6), (1, 6, 5), (2, 3, 7), (2, 7, 6), (3, 0, 4), (3, 4, 7)]
_HEXAHEDRON = np.array([*_BOTTOM_TOP, *_SIDES])


def frustum(bottom: Sequence[float], top: Sequence[float], z: tuple[float, float], look: Look) -> Mesh:
    """A solid between two axis-parallel rectangles (x0, x1, y0, y1), one at each height of ``z``."""
    corners = [(r[i], r[j], h) for r, h in ((bottom, z[0]), (top, z[1])) for i, j in ((0, 2), (1, 2), (1, 3), (0, 3))]
    return mesh(np.array(corners), _HEXAHEDRON, look)


def box(size: Sequence[float], centre: Sequence[float], look: Look) -> Mesh:
    """An axis-parallel box: ``size`` and ``centre`` are (x, y, z)."""
    (dx, dy, dz), (x, y, z) = size, centre
    rectangle = (x - dx / 2, x + dx / 2, y - dy / 2, y + dy / 2)
    return frustum(rectangle, rectangle, (z - dz / 2, z + dz / 2), look)


def tube(start: Sequence[float], end: Sequence[float], radii: tuple[float, float], look: Look, sides: int = 8) -> Mesh:
    """A capped cone or cylinder between two points; ``radii`` at its start and end."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    axis = (end - start) / math.dist(start, end)
    # Limbs swing in the x-z plane: measured against y, their skin does not jump round them from phase to phase.
    across = _cross((0.0, 1.0, 0.0) if abs(axis[1]) < 0.9 else (1.0, 0.0, 0.0), axis)
    across /= math.hypot(*across)
    circle, faces = _tube_faces(sides)
    ring = circle @ np.stack([across, _cross(axis, across)])
    return mesh(np.concatenate([start + radii[0] * ring, end + radii[1] * ring, [start, end]]), faces, look)


@lru_cache(maxsize=32)
def _tube_faces(sides: int) -> tuple[np.ndarray, np.ndarray]:
    """The unit circle [sides,2] and the triangles of a tube with that many sides."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    first, last = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    faces = [(i, j, sides + j), (i, sides + j, sides + i), (j, i, first), (sides + i, sides + j, last)]
    return np.stack([np.cos(angle), np.sin(angle)], 1), np.concatenate([np.stack(f, 1) for f in faces])


def _cross(a: Sequence[float], b: Sequence[float]) -> np.ndarray:
    """The cross product of two vectors; for single ones NumPy's own takes ten times as long."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def loft(rings: np.ndarray, looks: Sequence[Look], which: np.ndarray | int = 0) -> Mesh:
    """A closed skin through ``rings`` [R,C,3], each C points round, flat at both ends.

    Seen from ahead of the last ring, the points of each run counter-clockwise. ``which`` int [R-1,C] chooses one of
    ``looks`` for the panel between ring r, r + 1 and points c, c + 1; the ends have the first look.
    """
    rows, sides = rings.shape[:2]
    c = np.arange(sides)
    a = (np.arange(rows - 1)[:, None] * sides + c).ravel()
    b = (np.arange(rows - 1)[:, None] * sides + (c + 1) % sides).ravel()
    quads = np.stack([a, b, b + sides, a, b + sides, a + sides], 1).reshape(-1, 3)
    first, last = np.full(sides, rows * sides), np.full(sides, rows * sides + 1)
    end = (rows - 1) * sides
    caps = [np.stack([(c + 1) % sides, c, first], 1), np.stack([end + c, end + (c + 1) % sides, last], 1)]
    vertices = np.concatenate([rings.reshape(-1, 3), rings[[0, -1]].mean(1)])
    skin = mesh(vertices, np.concatenate([quads, *caps]), looks[0])
    chosen = np.zeros(len(skin.triangles), np.int64)
    chosen[: len(quads)] = np.repeat(np.broadcast_to(which, (rows - 1, sides)).ravel(), 2)
    return replace(
        skin,
        label=np.array([look.label for look in looks], np.uint16)[chosen],
        material=np.array([look.material for look in looks], np.uint8)[chosen],
        rgb=np.array([look.rgb for look in looks], np.float32)[chosen],
    )


def hoop(centre: Sequence[float], radii: tuple[float, float], width_m: float, look: Look, sides: int = 14) -> Mesh:
    """A closed ring in the x-z plane (a bicycle's tyre): inner and outer radius, wedge-shaped in section."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    out = np.stack([np.cos(angle), np.zeros(sides), np.sin(angle)], 1)
    edges = [radii[1] * out, radii[0] * out + (0, width_m / 2, 0), radii[0] * out - (0, width_m / 2, 0)]
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        faces += [(a * sides + i, b * sides + i, b * sides + j), (a * sides + i, b * sides + j, a * sides + j)]
    return mesh(
        np.concatenate(edges) + np.asarray(centre, float), np.concatenate([np.stack(f, 1) for f in faces]), look
    )


def plates(corners: np.ndarray, look: Look) -> Mesh:
    """N flat quadrilaterals: ``corners`` [N,4,3], in order round each."""
    first = 4 * np.arange(len(corners))[:, None]
    return mesh(corners.reshape(-1, 3), (first + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3), look)


def leaves(centres: np.ndarray, size_m: float, rng: np.random.Generator, look: Look) -> Mesh:
    """Foliage: one randomly turned triangle, about ``size_m`` across, at each of ``centres`` [N,3].

    A beam passes between the triangles and returns from inside the crown, as it does from a real tree.
    """
    n = len(centres)
    frame = rng.normal(size=(n, 2, 3))
    u = frame[:, 0] / np.linalg.norm(frame[:, 0], axis=1, keepdims=True)
    w = np.cross(u, frame[:, 1])
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    angle = np.arange(3) * (2 * np.pi / 3) + rng.uniform(-0.35, 0.35, (n, 3))
    reach = size_m * rng.uniform(0.4, 0.8, (n, 3))
    corners = (
        centres[:, None]
        + (reach * np.cos(angle))[..., None] * u[:, None]
        + (reach * np.sin(angle))[..., None] * w[:, None]
    )
    foliage = mesh(corners.reshape(-1, 3), np.arange(3 * n).reshape(-1, 3), look)
    shade = rng.uniform(0.7, 1.25, (n, 1)).astype(np.float32)
    return replace(foliage, rgb=np.clip(foliage.rgb * shade, 0.0, 1.0))


def surface(points: np.ndarray, looks: Sequence[Look]) -> Mesh:
    """A ribbon of quadrilaterals through ``points`` [R,C,3]; ``looks`` [C-1] gives each column between two of C."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    ribbons = []
    for c, look in enumerate(looks):
        a, b, d, e = (k.ravel() for k in (index[:-1, c], index[:-1, c + 1], index[1:, c], index[1:, c + 1]))
        ribbons.append(mesh(np.zeros((0, 3)), np.concatenate([np.stack([a, b, e], 1), np.stack([a, e, d], 1)]), look))
    joined = join(ribbons)
    return replace(joined, vertices=points.reshape(-1, 3).astype(np.float64))
