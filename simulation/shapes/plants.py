"""Trees, bushes and hedges: leaves in the air that let part of a beam through, on wood that does not.

SemanticKITTI calls the stem trunk (71) and everything from the first branches on vegetation (70).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, leaves, tube
from simulation.shapes.palette import GREENS, RGB, pick

_BARKS: tuple[RGB, ...] = ((0.30, 0.24, 0.18), (0.36, 0.32, 0.27), (0.24, 0.20, 0.17))
_BIRCH: RGB = (0.78, 0.76, 0.72)
_MOST_LEAVES = 690


def tree(rng: np.random.Generator, height: float, pruned: bool = False) -> Mesh:
    """A tree of some species, ``height`` metres high.

    A ``pruned`` one stands beside a road: broad-leaved, its crown narrow and clear of the vehicles below.
    """
    if pruned:
        return _broadleaf(rng, height, min(max(2.6, 0.36 * height), 0.55 * height), rng.uniform(0.17, 0.23) * height)
    species = rng.choice(4, p=[0.60, 0.16, 0.10, 0.14])
    if species == 1:
        return _conifer(rng, height)
    if species == 2:
        return _poplar(rng, height)
    if species == 3:
        return _birch(rng, height)
    return _broadleaf(rng, height, rng.uniform(0.08, 0.22) * height, rng.uniform(0.24, 0.36) * height)


def _broadleaf(rng: np.random.Generator, height: float, clear: float, spread: float) -> Mesh:
    """A stem that forks into limbs, each with its own cloud of leaves: the crown has lobes and gaps."""
    bark = Look(71, Material.BARK, pick(rng, _BARKS))
    lean = rng.normal(0.0, 0.02 * height, 2)
    fork = np.array([*lean, clear + 0.08 * (height - clear)])
    girth = 0.0135 * height * rng.uniform(0.85, 1.25)
    parts = _stem(bark, fork, girth)
    rise = (height - clear) / 2
    count = int(rng.integers(4, 7)) if height > 4 else 3
    turn = rng.uniform(0, 2 * np.pi)
    clouds, sizes = [], []
    for k in range(count):
        angle = turn + 2 * np.pi * k / count + rng.normal(0.0, 0.25)
        out, up = spread * rng.uniform(0.35, 0.6), clear + rise * rng.uniform(0.65, 1.3)
        tip = np.array([lean[0] + out * np.cos(angle), lean[1] + out * np.sin(angle), up])
        parts.append(tube(fork, tip, (0.55 * girth, 0.2 * girth), bark._replace(label=70), 5))
        clouds.append(tip)
        sizes.append((0.62 * spread, 0.62 * spread, min(0.62 * rise, height - up, up - 0.8 * clear)))
    clouds.append(np.array([*lean, clear + 1.35 * rise]))
    sizes.append((0.6 * spread, 0.6 * spread, 0.62 * rise))
    parts.append(tube(fork, clouds[-1], (0.6 * girth, 0.15 * girth), bark._replace(label=70), 5))
    return join([*parts, _crown(rng, clouds, sizes)])


def _birch(rng: np.random.Generator, height: float) -> Mesh:
    """Slender and pale, the leaves in a loose, long crown."""
    bark = Look(71, Material.BARK, _BIRCH)
    clear, girth = 0.25 * height, 0.011 * height
    fork = np.array([*rng.normal(0.0, 0.02 * height, 2), 0.8 * height])
    clouds = [
        np.array([*rng.normal(0.0, 0.05 * height, 2), z]) for z in np.linspace(clear + 0.1 * height, 0.86 * height, 4)
    ]
    sizes = [(width * height, width * height, 0.14 * height) for width in (0.15, 0.17, 0.14, 0.08)]
    limbs = [
        tube(0.75 * fork * (1, 1, k / 3), c, (0.3 * girth, 0.1 * girth), bark._replace(label=70), 4)
        for k, c in enumerate(clouds)
    ]
    return join([*_stem(bark, fork, girth, clear), *limbs, _crown(rng, clouds, sizes)])


def _poplar(rng: np.random.Generator, height: float) -> Mesh:
    """A column."""
    bark = Look(71, Material.BARK, pick(rng, _BARKS))
    top = np.array([0.0, 0.0, 0.9 * height])
    width = rng.uniform(0.08, 0.12) * height
    heights = np.linspace(0.25, 0.85, 4) * height
    clouds = [np.array([*rng.normal(0.0, 0.2 * width, 2), z]) for z in heights]
    sizes = [(width * k, width * k, 0.16 * height) for k in (0.95, 1.1, 0.95, 0.55)]
    return join([*_stem(bark, top, 0.014 * height, 0.15 * height), _crown(rng, clouds, sizes)])


def _conifer(rng: np.random.Generator, height: float) -> Mesh:
    """Whorls of drooping branches round a straight stem, from near the ground to the tip."""
    bark, needles = Look(71, Material.BARK, _BARKS[2]), Look(70, Material.FOLIAGE, (0.13, 0.24, 0.13))
    low = rng.uniform(0.04, 0.16) * height
    n = min(_MOST_LEAVES, int(95 * height))
    up = 1.0 - np.sqrt(rng.random(n))
    z = low + (height - low) * up
    reach = rng.uniform(0.17, 0.24) * (height - z + 0.2) * rng.uniform(0.25, 1.0, n) ** 0.6
    tiers = 0.55
    droop = 0.25 * reach
    angle = rng.uniform(0, 2 * np.pi, n)
    z = tiers * np.floor(z / tiers) + 0.25 * tiers - droop + rng.normal(0.0, 0.08, n)
    centres = np.stack([reach * np.cos(angle), reach * np.sin(angle), np.clip(z, 0.15, height - 0.1)], 1)
    foot = tube((0, 0, -0.3), (0, 0, low), (0.013 * height, 0.012 * height), bark, 7)
    stem = tube((0, 0, low), (0, 0, 0.95 * height), (0.012 * height, 0.02), bark._replace(label=70), 7)
    return join([foot, stem, leaves(centres, 0.10 + 0.035 * height, rng, needles)])


def _stem(bark: Look, top: np.ndarray, girth: float, clear: float | None = None) -> list[Mesh]:
    """A stem from below the ground to ``top``, wider at its foot; above ``clear``, by default its top, leaves begin."""
    part = 1.0 if clear is None else clear / top[2]
    low = min(0.12, 0.5 * part)
    parts = [tube((0, 0, -0.3), low * top, (1.45 * girth, 1.05 * girth), bark, 8)]
    parts.append(tube(low * top - (0, 0, 0.02), part * top, (1.05 * girth, (1.05 - 0.3 * part) * girth), bark, 8))
    if clear is not None:
        ends = ((1.05 - 0.3 * part) * girth, 0.75 * girth)
        parts.append(tube(part * top, top, ends, bark._replace(label=70), 8))
    return parts


def _crown(rng: np.random.Generator, clouds: list[np.ndarray], sizes: list[tuple[float, float, float]]) -> Mesh:
    """Leaves in ellipsoids, most of them near the skin; as many as the crown needs to be half transparent."""
    green = Look(70, Material.FOLIAGE, pick(rng, GREENS))
    area = np.array([(4 * np.pi / 3) * (a * b + b * c + a * c) for a, b, c in np.maximum(sizes, 0.15)])
    size_m = float(np.clip(0.037 * np.sqrt(area.sum()), 0.19, 0.55))
    count = np.maximum((min(_MOST_LEAVES, 1.35 * area.sum() / size_m**2) * area / area.sum()).astype(int), 8)
    centres = [
        cloud + _in_ball(rng, n, 0.5) * np.maximum(size, 0.15)
        for cloud, size, n in zip(clouds, sizes, count, strict=True)
    ]
    return _shaded(rng, np.concatenate(centres), size_m, green)


def _shaded(rng: np.random.Generator, centres: np.ndarray, size_m: float, look: Look) -> Mesh:
    """Leaves that are darker below and inside, where little skylight comes."""
    low, high = centres[:, 2].min(), centres[:, 2].max()
    shade = 0.72 + 0.38 * (centres[:, 2] - low) / (high - low + 1e-6)
    crown = leaves(centres, size_m, rng, look)
    return replace(crown, rgb=np.clip(crown.rgb * shade[:, None].astype(np.float32), 0.0, 1.0))


def bush(rng: np.random.Generator, radius: float) -> Mesh:
    """A bush of about the given radius."""
    n = min(230, int(65 + 90 * radius))
    look = Look(70, Material.FOLIAGE, pick(rng, (*GREENS, (0.34, 0.24, 0.16))))
    tall = rng.uniform(0.5, 0.9) * radius
    centres = _in_ball(rng, n, 0.6) * (radius, radius, tall) * 0.85 + (0.0, 0.0, 0.95 * tall)
    centres[:, 2] = np.maximum(centres[:, 2], 0.12)
    return _shaded(rng, centres, float(np.clip(0.29 * radius, 0.16, 0.42)), look)


def hedge(rng: np.random.Generator, length: float, height: float) -> Mesh:
    """A clipped hedge along x: dense inside, leafy outside."""
    green = Look(70, Material.FOLIAGE, pick(rng, GREENS))
    wide = rng.uniform(0.32, 0.5)
    n = int(31 * max(length, 0.5) * (height + wide))
    centres = rng.uniform((-length / 2, -wide, 0.1), (length / 2, wide, height - 0.05), (n, 3))
    skin = rng.random(n)
    front = skin < 0.75 * height / (height + wide)  # the rest lies on top
    centres[front, 1] = wide * np.sign(centres[front, 1]) * rng.uniform(0.6, 1.0, front.sum())
    centres[~front, 2] = height - rng.uniform(0.02, 0.2, (~front).sum())
    core = box(
        (max(length - 0.2, 0.1), 1.1 * wide, height - 0.2),
        (0.0, 0.0, (height - 0.2) / 2),
        green._replace(rgb=_dark(green.rgb)),
    )
    return join([core, _shaded(rng, centres, 0.3, green)])


def _dark(rgb: RGB) -> RGB:
    return (0.5 * rgb[0], 0.5 * rgb[1], 0.5 * rgb[2])


def _in_ball(rng: np.random.Generator, n: int, hollow: float) -> np.ndarray:
    """Points [n,3] in the unit ball, evenly spread outside the radius ``hollow``."""
    direction = rng.normal(size=(n, 3))
    radius = (hollow**3 + (1 - hollow**3) * rng.random((n, 1))) ** (1 / 3)
    return direction / np.linalg.norm(direction, axis=1, keepdims=True) * radius
