"""The things that stand and move in a street, each built from primitives at its real size.

Every function returns a mesh with its origin on the ground and its front along +x. ``moving`` chooses the label of a
moving object (SemanticKITTI keeps those apart).
"""

from __future__ import annotations

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, join, leaves, plates, ring, tube

PAINTS = ((0.75, 0.75, 0.77), (0.12, 0.12, 0.13), (0.35, 0.36, 0.38), (0.85, 0.85, 0.85), (0.45, 0.06, 0.06))
PAINTS += ((0.08, 0.14, 0.35), (0.55, 0.55, 0.52), (0.1, 0.25, 0.16), (0.7, 0.55, 0.15))
CLOTHS = ((0.15, 0.17, 0.3), (0.6, 0.1, 0.12), (0.8, 0.8, 0.75), (0.2, 0.3, 0.2), (0.1, 0.1, 0.1), (0.5, 0.4, 0.25))
PLASTERS = ((0.82, 0.76, 0.62), (0.86, 0.85, 0.82), (0.72, 0.6, 0.48), (0.75, 0.68, 0.66), (0.62, 0.66, 0.64))
BRICKS = ((0.55, 0.29, 0.22), (0.5, 0.36, 0.28), (0.62, 0.42, 0.33))
ROOFS = ((0.45, 0.2, 0.15), (0.25, 0.24, 0.26), (0.38, 0.28, 0.24))
GREENS = ((0.2, 0.36, 0.12), (0.28, 0.42, 0.14), (0.16, 0.3, 0.13), (0.4, 0.43, 0.16))


def _pick(rng: np.random.Generator, choices: tuple) -> tuple:
    return choices[int(rng.integers(len(choices)))]


def _wheels(label: int, axles: tuple[float, ...], width: float, radius: float) -> list[Mesh]:
    look = Look(label, Material.RUBBER, (0.06, 0.06, 0.06))
    return [
        tube((x, side * (width / 2 - 0.2), radius), (x, side * (width / 2 + 0.01), radius), (radius, radius), look, 12)
        for x in axles
        for side in (-1, 1)
    ]


def car(rng: np.random.Generator, moving: bool) -> Mesh:
    """A saloon, hatchback, estate or van: 3.6-5.1 m long."""
    label = 252 if moving else 10
    paint = Look(label, Material.CAR_PAINT, _pick(rng, PAINTS))
    glass = Look(label, Material.GLASS, (0.1, 0.13, 0.16))
    length, width = rng.uniform(3.6, 4.9), rng.uniform(1.65, 1.85)
    kind = rng.choice(["hatch", "saloon", "estate", "van"], p=[0.4, 0.25, 0.2, 0.15])
    bonnet = {"hatch": 0.24, "saloon": 0.27, "estate": 0.25, "van": 0.16}[kind] * length
    boot = {"hatch": 0.03, "saloon": 0.18, "estate": 0.03, "van": 0.02}[kind] * length
    height = rng.uniform(1.8, 2.1) if kind == "van" else rng.uniform(1.4, 1.62)
    waist = rng.uniform(0.86, 0.98) + (0.15 if kind == "van" else 0.0)
    front, rear, side = length / 2, -length / 2, width / 2
    cabin = (rear + boot, front - bonnet, -side + 0.02, side - 0.02)
    slope = 0.25 if kind == "van" else 0.55
    roof = (cabin[0] + (0.1 if kind in ("estate", "van") else 0.35), cabin[1] - slope, -side + 0.2, side - 0.2)
    parts = [
        frustum((rear + 0.1, front - 0.1, -side + 0.08, side - 0.08), (rear, front, -side, side), (0.22, 0.5), paint),
        frustum(
            (rear, front, -side, side), (rear + 0.05, front - 0.22, -side + 0.02, side - 0.02), (0.5, waist), paint
        ),
        frustum(cabin, roof, (waist, height - 0.04), glass),
        frustum(roof, roof, (height - 0.04, height), paint),
        *_wheels(label, (front - 0.85, rear + 0.8), width, rng.uniform(0.3, 0.34)),
    ]
    pillar = (-side + 0.01, side - 0.01), (-side + 0.19, side - 0.19)
    for x in (cabin[0] + 0.45 * (cabin[1] - cabin[0]), roof[0]):  # door pillars break the glass
        parts.append(
            frustum((x - 0.05, x + 0.05, *pillar[0]), (x - 0.05, x + 0.05, *pillar[1]), (waist, height), paint)
        )
    if kind == "van":  # no windows behind the front seats
        end = cabin[1] - 0.4 * length
        parts.append(
            frustum((rear, end, -side, side), (rear + 0.08, end, -side + 0.15, side - 0.15), (waist, height), paint)
        )
    lights = Look(label, Material.RETRO, (0.5, 0.05, 0.05)), Look(label, Material.RETRO, (0.85, 0.85, 0.8))
    for x, light in ((rear, lights[0]), (front, lights[1])):
        parts.append(box((0.04, 0.5, 0.11), (x, 0.0, 0.5), lights[1]))  # number plate
        parts += [box((0.1, 0.3, 0.14), (x, y, 0.62), light) for y in (-side + 0.2, side - 0.2)]
    return join(parts)


def truck(rng: np.random.Generator, moving: bool) -> Mesh:
    """A delivery lorry: cab and box body, 6-10 m long."""
    label = 258 if moving else 18
    length, width, height = rng.uniform(6.0, 10.0), 2.4, rng.uniform(2.9, 3.6)
    cab = Look(label, Material.CAR_PAINT, _pick(rng, PAINTS))
    body = Look(
        label, Material.METAL, _pick(rng, (*PAINTS[:1], (0.9, 0.9, 0.88), (0.7, 0.72, 0.75), (0.2, 0.35, 0.55)))
    )
    glass = Look(label, Material.GLASS, (0.1, 0.13, 0.16))
    front, side = length / 2, width / 2
    return join(
        [
            frustum((front - 1.8, front, -side, side), (front - 1.8, front - 0.1, -side, side), (0.5, 1.5), cab),
            frustum(
                (front - 1.8, front - 0.1, -side, side), (front - 1.7, front - 0.35, -side, side), (1.5, 2.2), glass
            ),
            frustum((front - 1.8, front - 0.35, -side, side), (front - 1.7, front - 0.5, -side, side), (2.2, 2.6), cab),
            box((length - 2.0, width, height - 1.0), (-1.0, 0.0, (height + 1.0) / 2), body),
            box((length - 0.6, 0.9, 0.35), (0.0, 0.0, 0.75), Look(label, Material.METAL, (0.15, 0.15, 0.15))),
            *_wheels(label, (front - 1.0, -front + 1.2, -front + 2.3), width, 0.48),
        ]
    )


def bus(rng: np.random.Generator, moving: bool) -> Mesh:
    """A 12 m city bus."""
    label = 257 if moving else 13
    paint = Look(label, Material.CAR_PAINT, _pick(rng, ((0.8, 0.75, 0.2), (0.7, 0.1, 0.1), (0.85, 0.85, 0.85))))
    glass = Look(label, Material.GLASS, (0.1, 0.13, 0.16))
    return join(
        [
            box((12.0, 2.5, 1.1), (0.0, 0.0, 0.9), paint),
            box((11.9, 2.45, 1.1), (0.0, 0.0, 2.0), glass),
            box((11.9, 2.45, 0.45), (0.0, 0.0, 2.775), paint),
            *(box((0.25, 2.5, 1.1), (x, 0.0, 2.0), paint) for x in (-5.8, -3.4, -1.0, 1.4, 3.8)),
            *_wheels(label, (3.4, -2.6), 2.5, 0.48),
        ]
    )


def caravan(rng: np.random.Generator, moving: bool) -> Mesh:
    """A parked trailer or caravan."""
    label = 259 if moving else 20
    length = rng.uniform(3.0, 5.5)
    shell = Look(label, Material.METAL, (0.85, 0.85, 0.82))
    lower, upper = (-length / 2, length / 2, -1.05, 1.05), (-length / 2 + 0.2, length / 2 - 0.5, -1.0, 1.0)
    parts = [frustum(lower, upper, (0.5, rng.uniform(1.6, 2.5)), shell), *_wheels(label, (0.0,), 2.1, 0.3)]
    return join([*parts, box((1.2, 0.1, 0.1), (length / 2 + 0.6, 0.0, 0.45), shell)])


def pedestrian(rng: np.random.Generator, moving: bool) -> Mesh:
    """A person standing or in mid-stride, 1.5-1.95 m tall."""
    label = 254 if moving else 30
    h = rng.uniform(1.5, 1.95)
    stride = rng.uniform(0.05, 0.35) if moving else 0.04
    return join(_person_parts(rng, label, h, stride))


def _person_parts(rng: np.random.Generator, label: int, h: float, stride: float) -> list[Mesh]:
    trousers, coat = (Look(label, Material.CLOTH, _pick(rng, CLOTHS)) for _ in range(2))
    skin = Look(label, Material.SKIN, (0.7, 0.52, 0.42))
    hip, shoulder = 0.48 * h, 0.82 * h
    return [
        tube((stride, -0.1, 0.0), (0.0, -0.08, hip), (0.06, 0.09), trousers),
        tube((-stride, 0.1, 0.0), (0.0, 0.08, hip), (0.06, 0.09), trousers),
        tube((0.0, 0.0, hip - 0.05), (0.02, 0.0, shoulder), (0.16, 0.2), coat),
        tube((stride * 0.8, 0.24, hip), (0.0, 0.21, shoulder - 0.03), (0.04, 0.06), coat, 6),
        tube((-stride * 0.8, -0.24, hip), (0.0, -0.21, shoulder - 0.03), (0.04, 0.06), coat, 6),
        tube((0.0, 0.0, shoulder), (0.0, 0.0, shoulder + 0.06), (0.06, 0.06), skin, 6),
        tube((0.01, 0.0, shoulder + 0.04), (0.01, 0.0, h), (0.1, 0.08), skin),
    ]


def bicycle(rng: np.random.Generator, label: int = 11) -> Mesh:
    """A bicycle, 1.75 m long."""
    rubber = Look(label, Material.RUBBER, (0.06, 0.06, 0.06))
    frame = Look(label, Material.METAL, _pick(rng, PAINTS))
    bars = [
        ((-0.52, 0, 0.34), (-0.15, 0, 0.85)),
        ((-0.15, 0, 0.3), (-0.15, 0, 0.95)),
        ((-0.15, 0, 0.3), (0.4, 0, 0.85)),
        ((-0.15, 0, 0.85), (0.4, 0, 0.9)),
        ((0.52, 0, 0.34), (0.38, 0, 1.05)),
        ((0.38, -0.28, 1.05), (0.38, 0.28, 1.05)),
        ((-0.52, 0, 0.34), (-0.15, 0, 0.3)),
    ]
    tubes = [tube(a, b, (0.022, 0.022), frame, 5) for a, b in bars]
    return join([*tubes, *(ring((x, 0, 0.34), (0.28, 0.35), rubber) for x in (-0.52, 0.52))])


def cyclist(rng: np.random.Generator, moving: bool) -> Mesh:
    """A person riding a bicycle; both carry the rider's label, as in SemanticKITTI."""
    label = 253 if moving else 31
    return join([bicycle(rng, label), *_rider(rng, label, seat=0.95, reach=0.42, bars=1.05)])


def motorcycle(rng: np.random.Generator, label: int = 15) -> Mesh:
    """A motorcycle or scooter, 2 m long."""
    paint = Look(label, Material.CAR_PAINT, _pick(rng, PAINTS))
    rubber = Look(label, Material.RUBBER, (0.06, 0.06, 0.06))
    wheels = [tube((x, -0.07, 0.3), (x, 0.07, 0.3), (0.3, 0.3), rubber, 12) for x in (-0.68, 0.68)]
    body = frustum((-0.6, 0.45, -0.18, 0.18), (-0.75, 0.35, -0.14, 0.14), (0.3, 0.8), paint)
    fork = tube((0.68, 0, 0.3), (0.42, 0, 1.05), (0.06, 0.06), paint, 6)
    return join([*wheels, body, fork, tube((0.42, -0.36, 1.05), (0.42, 0.36, 1.05), (0.03, 0.03), paint, 6)])


def motorcyclist(rng: np.random.Generator, moving: bool) -> Mesh:
    """A person riding a motorcycle."""
    label = 255 if moving else 32
    return join([motorcycle(rng, label), *_rider(rng, label, seat=0.8, reach=0.4, bars=1.05)])


def _rider(rng: np.random.Generator, label: int, seat: float, reach: float, bars: float) -> list[Mesh]:
    trousers, coat = (Look(label, Material.CLOTH, _pick(rng, CLOTHS)) for _ in range(2))
    hip, shoulder = (-0.2, 0.0, seat), (0.08, 0.0, seat + rng.uniform(0.5, 0.58))
    parts = [
        tube(hip, shoulder, (0.16, 0.19), coat),
        tube(
            (0.12, 0, shoulder[2] + 0.02),
            (0.14, 0, shoulder[2] + 0.3),
            (0.1, 0.1),
            Look(label, Material.SKIN, (0.6, 0.5, 0.45)),
        ),
    ]
    for side in (-1, 1):
        knee, foot = (0.15, 0.13 * side, seat - 0.2), (0.0, 0.12 * side, 0.2 + 0.1 * (side > 0))
        parts.append(tube((-0.18, 0.1 * side, seat), knee, (0.09, 0.07), trousers, 6))
        parts.append(tube(knee, foot, (0.07, 0.05), trousers, 6))
        parts.append(
            tube((shoulder[0], 0.2 * side, shoulder[2] - 0.03), (reach, 0.26 * side, bars), (0.055, 0.04), coat, 6)
        )
    return parts


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
