"""The things that stand and move in a street, each built from primitives at its real size.

Every function returns a mesh with its origin on the ground and its front along +x. ``moving`` chooses the label of a
moving object (SemanticKITTI keeps those apart).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulation.actors import Kind
from simulation.shapes import catalogue
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, join, leaves, plates, tube

PAINTS = ((0.75, 0.75, 0.77), (0.12, 0.12, 0.13), (0.35, 0.36, 0.38), (0.85, 0.85, 0.85), (0.45, 0.06, 0.06))
PAINTS += ((0.08, 0.14, 0.35), (0.55, 0.55, 0.52), (0.1, 0.25, 0.16), (0.7, 0.55, 0.15))
CLOTHS = ((0.15, 0.17, 0.3), (0.6, 0.1, 0.12), (0.8, 0.8, 0.75), (0.2, 0.3, 0.2), (0.1, 0.1, 0.1), (0.5, 0.4, 0.25))
PLASTERS = ((0.82, 0.76, 0.62), (0.86, 0.85, 0.82), (0.72, 0.6, 0.48), (0.75, 0.68, 0.66), (0.62, 0.66, 0.64))
BRICKS = ((0.55, 0.29, 0.22), (0.5, 0.36, 0.28), (0.62, 0.42, 0.33))
ROOFS = ((0.45, 0.2, 0.15), (0.25, 0.24, 0.26), (0.38, 0.28, 0.24))
GREENS = ((0.2, 0.36, 0.12), (0.28, 0.42, 0.14), (0.16, 0.3, 0.13), (0.4, 0.43, 0.16))


def _pick(rng: np.random.Generator, choices: tuple) -> tuple:
    return choices[int(rng.integers(len(choices)))]


def _standing(kind: Kind) -> Callable[[np.random.Generator, bool], Mesh]:
    return lambda rng, moving=False: catalogue.draw_model(kind, rng).mesh(moving=moving)


car, truck, bus, caravan = (_standing(kind) for kind in ("car", "truck", "bus", "trailer"))
pedestrian, cyclist, motorcyclist = (_standing(kind) for kind in ("pedestrian", "cyclist", "motorcyclist"))
bicycle, motorcycle = (_standing(kind) for kind in ("bicycle", "motorcycle"))


def tree(rng: np.random.Generator, height: float, pruned: bool = False) -> Mesh:
    """A broad-leaved tree, or now and then a conifer: class trunk below, vegetation from the first branches on.

    A ``pruned`` tree stands beside a road: broad-leaved, its crown narrow and clear of the vehicles below.
    """
    bark = Look(71, Material.BARK, (0.3, 0.24, 0.18))
    green = Look(70, Material.FOLIAGE, _pick(rng, GREENS))
    if not pruned and rng.random() < 0.2:
        z = height * (1.0 - np.sqrt(rng.random(int(90 * height)))) + 0.3
        reach = 0.22 * (height - z) * np.sqrt(rng.random(len(z)))
        angle = rng.uniform(0, 2 * np.pi, len(z))
        centres = np.stack([reach * np.cos(angle), reach * np.sin(angle), z], 1)
        return join([tube((0, 0, -0.3), (0, 0, height * 0.9), (0.13, 0.04), bark), leaves(centres, 0.26, rng, green)])
    clear = max(2.6, 0.36 * height) if pruned else rng.uniform(0.12, 0.36) * height
    spread = (rng.uniform(0.16, 0.22) if pruned else rng.uniform(0.22, 0.36)) * height
    rise = (height - clear) / 2
    parts = [tube((0, 0, -0.3), (0, 0, clear + 0.3 * rise), (0.015 * height, 0.011 * height), bark)]
    branch = bark._replace(label=70)
    for lobe in rng.uniform(-0.5, 0.5, (4, 3)) * (spread, spread, rise) + (0.0, 0.0, clear + rise):
        parts.append(tube((0, 0, clear + 0.2 * rise), lobe, (0.01 * height, 0.004 * height), branch, 5))
        centres = lobe + _in_ball(rng, int(24 * height)) * (0.7 * spread, 0.7 * spread, 0.75 * rise)
        parts.append(leaves(centres, 0.33, rng, green))
    return join(parts)


def bush(rng: np.random.Generator, radius: float) -> Mesh:
    """A bush of about the given radius."""
    centres = _in_ball(rng, int(190 * radius)) * (radius, radius, 0.65 * radius) + (0.0, 0.0, 0.6 * radius)
    return leaves(centres, 0.23, rng, Look(70, Material.FOLIAGE, _pick(rng, GREENS)))


def hedge(rng: np.random.Generator, length: float, height: float) -> Mesh:
    """A clipped hedge along x: dense inside, leafy outside."""
    green = Look(70, Material.FOLIAGE, _pick(rng, GREENS))
    n = int(45 * length * height)
    centres = rng.uniform((-length / 2, -0.4, 0.05), (length / 2, 0.4, height), (n, 3))
    core = box((length - 0.2, 0.35, height - 0.2), (0.0, 0.0, (height - 0.2) / 2), green)
    return join([core, leaves(centres, 0.22, rng, green)])


def _in_ball(rng: np.random.Generator, n: int) -> np.ndarray:
    direction = rng.normal(size=(n, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True) * rng.random((n, 1)) ** (1 / 3)


def fence(rng: np.random.Generator, length: float) -> Mesh:
    """A garden boundary along x: pickets, boards or a low wall."""
    kind = rng.choice(["pickets", "boards", "wall", "railing"], p=[0.35, 0.2, 0.25, 0.2])
    height = {"pickets": 1.0, "boards": 1.7, "wall": 0.9, "railing": 1.3}[kind] * rng.uniform(0.85, 1.15)
    wood = Look(51, Material.WOOD, _pick(rng, ((0.45, 0.33, 0.22), (0.75, 0.73, 0.68), (0.3, 0.3, 0.28))))
    if kind == "boards":
        return box((length, 0.05, height), (0.0, 0.0, height / 2), wood)
    if kind == "wall":
        stone = Look(51, Material.BRICK, _pick(rng, BRICKS))
        cap = Look(51, Material.PLASTER, (0.6, 0.58, 0.55))
        return join(
            [
                box((length, 0.25, height), (0, 0, height / 2), stone),
                box((length, 0.32, 0.08), (0, 0, height + 0.04), cap),
            ]
        )
    if kind == "railing":
        wood = Look(51, Material.METAL, (0.2, 0.22, 0.2))
    wide, pitch = (0.09, 0.17) if kind == "pickets" else (0.03, 0.12)
    x, zero = np.arange(-length / 2, length / 2, pitch), np.zeros(int(np.ceil(length / pitch)))
    corners = [
        np.stack([x[: len(zero)] + dx, zero, zero + z], 1) for dx, z in ((0, 0), (wide, 0), (wide, height), (0, height))
    ]
    rails = [box((length, 0.05, 0.08), (0.0, 0.03, z), wood) for z in (0.25 * height, 0.8 * height)]
    return join([plates(np.stack(corners, 1), wood), *rails])


def house(rng: np.random.Generator, size: tuple[float, float, float], flat: bool) -> Mesh:
    """A building whose front is its -y side at y=0: walls, bays or balconies, and a gabled or flat roof.

    ``size``: length along the street, depth, height of the walls (metres).
    """
    length, depth, height = size
    brick = rng.random() < 0.35
    rgb = _pick(rng, BRICKS if brick else PLASTERS)
    wall = Look(50, Material.BRICK if brick else Material.PLASTER, rgb)
    roof = Look(50, Material.ROOF, _pick(rng, ROOFS))
    half = length / 2
    parts = [box((length, depth, height + 1.0), (0.0, depth / 2, (height - 1.0) / 2), wall)]
    if flat:
        parts.append(box((length + 0.2, depth + 0.2, 0.35), (0.0, depth / 2, height + 0.175), roof))
    else:
        eaves = (-half - 0.2, half + 0.2, -0.5, depth + 0.5)
        ridge = (-half - 0.2, half + 0.2, depth / 2 - 0.01, depth / 2 + 0.01)
        parts.append(frustum(eaves, ridge, (height, height + rng.uniform(0.3, 0.5) * depth), roof))
        parts.append(
            box((0.6, 0.6, 1.4), (rng.uniform(-0.3, 0.3) * length, 0.5 * depth + 0.8, height + 0.45 * depth), wall)
        )
    for _ in range(int(rng.integers(0, 4))):  # bays, porches, balconies
        wide, out = rng.uniform(1.2, 3.0), rng.uniform(0.3, 1.2)
        low = float(rng.choice([0.0, 3.0])) if height > 6 else 0.0
        high = min(height, low + (rng.uniform(1.0, 1.3) if low else rng.uniform(2.4, 3.0)))
        parts.append(
            box(
                (wide, out + 0.2, high - low),
                (rng.uniform(-0.35, 0.35) * length, 0.1 - out / 2, (low + high) / 2),
                wall,
            )
        )
    return join(parts)


def lamp(rng: np.random.Generator) -> Mesh:
    """A street lamp, 5-9 m tall; its arm reaches out along +x."""
    metal = Look(80, Material.METAL, _pick(rng, ((0.35, 0.37, 0.36), (0.5, 0.5, 0.5), (0.15, 0.2, 0.18))))
    height, reach = rng.uniform(5.0, 9.0), rng.uniform(0.3, 1.6)
    return join(
        [
            tube((0, 0, 0), (0, 0, height), (rng.uniform(0.07, 0.11), 0.05), metal),
            tube((0, 0, height), (reach, 0, height + 0.2), (0.04, 0.04), metal, 6),
            box((0.6, 0.2, 0.12), (reach + 0.2, 0, height + 0.2), metal),
        ]
    )


def sign(rng: np.random.Generator) -> Mesh:
    """A traffic sign that faces -x: disc, triangle or plate on a pole."""
    metal = Look(80, Material.METAL, (0.55, 0.56, 0.57))
    face = Look(81, Material.RETRO, _pick(rng, ((0.8, 0.1, 0.1), (0.1, 0.2, 0.6), (0.9, 0.9, 0.9), (0.9, 0.75, 0.1))))
    height = rng.uniform(2.1, 2.8)
    sides = _pick(rng, (3, 16, 16, 4))
    plate = tube((-0.07, 0, height), (-0.05, 0, height), (rng.uniform(0.32, 0.45),) * 2, face, sides)
    return join([tube((0, 0, 0), (0, 0, height + 0.4), (0.038, 0.038), metal, 6), plate])


def traffic_light(rng: np.random.Generator) -> Mesh:
    """A signal head on its pole."""
    metal = Look(80, Material.METAL, (0.3, 0.32, 0.3))
    head = box((0.25, 0.3, 0.9), (-0.15, 0, rng.uniform(2.6, 3.2)), Look(80, Material.METAL, (0.08, 0.1, 0.08)))
    return join([tube((0, 0, 0), (0, 0, 3.6), (0.07, 0.06), metal), head])


def clutter(rng: np.random.Generator) -> Mesh:
    """What else stands on a pavement: bins, cabinets, benches, advertising pillars."""
    kind = rng.integers(4)
    metal = Look(99, Material.METAL, _pick(rng, ((0.3, 0.35, 0.3), (0.5, 0.5, 0.48), (0.15, 0.2, 0.3))))
    if kind == 0:
        return frustum((-0.25, 0.25, -0.28, 0.28), (-0.29, 0.29, -0.33, 0.33), (0.05, 1.05), metal)
    if kind == 1:
        return box((1.1, 0.4, 1.2), (0, 0, 0.6), metal)
    if kind == 2:
        wood = Look(99, Material.WOOD, (0.45, 0.33, 0.22))
        legs = [box((0.08, 0.4, 0.42), (x, 0, 0.21), metal) for x in (-0.7, 0.7)]
        return join([box((1.7, 0.45, 0.06), (0, 0, 0.45), wood), box((1.7, 0.05, 0.4), (0, 0.25, 0.75), wood), *legs])
    return tube((0, 0, 0), (0, 0, 2.8), (0.6, 0.6), Look(99, Material.PLASTER, (0.6, 0.6, 0.62)), 14)
