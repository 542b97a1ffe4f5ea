"""What surfaces look like from near: every material's colour and gloss at a place, drawn by noise alone.

Places are street coordinates for what stands and the body's own for what moves, so that no texture swims. A pattern
fades into its mean where a pixel's footprint cannot resolve it: nothing flickers in the distance.
"""

from __future__ import annotations

import numba
import numpy as np

from simulation.camera.noise import cell, grain, hash3, line, smooth
from simulation.shapes.materials import Material

ASPHALT, PAINT_MARK, PAVING, GRASS, PLASTER, BRICK, ROOF, WOOD, FOLIAGE, BARK = (int(m) for m in list(Material)[:10])
METAL, RETRO, CAR_PAINT, GLASS, RUBBER, CLOTH, SKIN, GRAVEL, PARKING, LAMP = (int(m) for m in list(Material)[10:20])


@numba.njit(cache=True)
def paint(  # pragma: no cover - compiled # noqa: PLR0912, PLR0915
    material, rgb, triangle, at, normal, directions, range_m, wetness, focal_px
):
    """Colour and gloss of what N rays meet.

    ``material`` uint8 [N]; ``rgb`` float32 [T,3], the square root of reflectance, of every triangle, and ``triangle``
    int64 [N] of them, -1 for a miss, which is left black; ``at`` float64 [N,3] metres; ``normal`` and the rays'
    ``directions`` float32 [N,3], ``range_m`` float32 [N] and ``focal_px`` say what a pixel covers. Reflectance float32
    [N,3]; gloss float32 [N]: the share of light mirrored at normal incidence, 0 for what mirrors nothing.
    """
    colour, gloss = np.zeros((len(at), 3), np.float32), np.zeros(len(at), np.float32)
    for n in range(len(at)):
        if triangle[n] < 0:
            continue
        m = material[n]
        facing = 0.0
        for c in range(3):
            facing += normal[n, c] * directions[n, c]
        f = range_m[n] / focal_px / np.sqrt(max(abs(facing), 0.02))  # a pixel's footprint, metres
        x, y, z = at[n, 0], at[n, 1], at[n, 2]
        up = normal[n, 2]
        across = np.hypot(normal[n, 0], normal[n, 1]) + 1e-6
        along = (y * normal[n, 0] - x * normal[n, 1]) / across  # horizontal coordinate in a wall
        shade, warm = 1.0, 0.0  # brightness, and a shift from blue to red
        if m == ASPHALT:
            shade = _asphalt(x, y, z, f)
        elif m == PARKING:
            shade = _slabs(x, y, z, 0.2, 0.1, f) * (1.0 + 0.15 * grain(x, y, z, 0.9, f))
        elif m == PAVING:
            shade = _slabs(x, y, z, 0.4, 0.4, f) if up > 0.5 else _kerb(along, z, f)
        elif m == GRAVEL:
            shade = 1.0 + 0.3 * grain(x, y, z, 0.03, f) + 0.2 * grain(x, y, z, 0.11, f) + 0.15 * grain(x, y, z, 1.3, f)
        elif m == GRASS:
            shade, warm = _grass(x, y, z, f)
        elif m == PAINT_MARK:
            worn = 0.5 + 0.5 * grain(x, y, z, 0.05, f) + 0.4 * grain(x, y, z, 0.6, f)
            shade = 1.0 - 0.5 * max(0.0, worn - 0.55)
        elif m == PLASTER:
            stain = grain(along, z * 0.25, 7.0, 0.9, f)
            shade = 1.0 + 0.05 * grain(x, y, z, 0.04, f) + 0.04 * grain(x, y, z, 2.3, f) + 0.05 * stain
        elif m == BRICK:
            shade, warm = _brick(along, z, f)
        elif m == ROOF:
            shade, warm = _roof(along, z, up, f)
        elif m == WOOD:
            shade = 1.0 - 0.55 * line(along, 0.12, 0.008, f) + 0.16 * grain(along, z / 12.0, 3.0, 0.03, f)
            shade += 0.2 * (cell(along, 0.0, 5.0, 0.12) - 0.5)
        elif m == FOLIAGE:
            shade, warm = _foliage(x, y, z, f)
        elif m == BARK:
            shade = 1.0 + 0.45 * grain(x * 2, y * 2, z / 3, 0.05, f) + 0.2 * grain(x, y, z, 0.3, f)
        elif m in (CLOTH, RUBBER):
            shade = 1.0 + 0.22 * grain(x, y, z * 0.5, 0.09, f) + 0.12 * grain(x, y, z, 0.02, f)
        elif m == METAL:
            shade = 1.0 + 0.03 * grain(x, y, z, 0.25, f)
            gloss[n] = 0.02
        elif m == CAR_PAINT:
            shade = 1.0 - 0.18 * max(0.0, 1.0 - z / 0.5) * (0.6 + 0.4 * grain(x, y, z, 0.2, f))  # dust from the road
            gloss[n] = 0.045
        elif m == GLASS:
            gloss[n] = 0.06
        r, g, b = shade * (1.0 + warm), shade, shade * (1.0 - warm)
        if m in (GRASS, FOLIAGE):  # a leaf's cuticle scatters white light
            r, g, b = 1.06 * r, 0.84 * g, 1.35 * b
        if wetness > 0.0 and up > 0.6 and m not in (FOLIAGE, CAR_PAINT, GLASS):
            pool = 0.5 + 0.5 * grain(x, y, 0.0, 2.6, f) + 0.25 * grain(x, y, 0.0, 0.7, f)
            dark = 1.0 - 0.45 * wetness
            r, g, b = r * dark, g * dark, b * dark
            if m in (ASPHALT, PAVING, PARKING, PAINT_MARK):
                gloss[n] = wetness * wetness * (0.006 + 0.022 * min(1.0, max(0.0, 4.0 * pool - 2.2)))
        own = rgb[triangle[n]]
        colour[n, 0] = max(0.0, own[0] * own[0] * r)
        colour[n, 1] = max(0.0, own[1] * own[1] * g)
        colour[n, 2] = max(0.0, own[2] * own[2] * b)
    return colour, gloss


@numba.njit(cache=True)
def _asphalt(x, y, z, f):  # pragma: no cover - compiled
    """Stone grain, worn and mended areas, cracks, and now and then a manhole."""
    shade = 1.15 + 0.34 * grain(x, y, z, 0.018, f) + 0.2 * grain(x, y, z, 0.05, f)
    shade += 0.1 * grain(x, y, z, 0.8, f) + 0.16 * grain(x, y, 0.0, 6.0, f)
    wander = 0.5 * smooth(x / 3.0, y / 3.0, 9.0)
    if cell(x + wander, y, 0.0, 4.7) < 0.07:  # mended
        shade *= 0.72
    if f < 0.05:
        split = abs(smooth(x / 2.1, y / 2.1, 31.0) + 0.22 * smooth(x / 0.23, y / 0.23, 3.0) - 0.61)
        if split < 0.008 and smooth(x / 9.0, y / 9.0, 77.0) > 0.55:
            shade *= 0.5 + 0.5 * f / 0.05
    i, j = np.floor(x / 14.0), np.floor(y / 14.0)
    if hash3(int(i), int(j), 5) < 0.35:
        dx = x - 14.0 * (i + 0.2 + 0.6 * hash3(int(i), int(j), 6))
        dy = y - 14.0 * (j + 0.2 + 0.6 * hash3(int(i), int(j), 7))
        away = np.hypot(dx, dy)
        if away < 0.33:
            shade = 0.55 + 0.3 * grain(x, y, z, 0.04, f) if away < 0.28 else 0.4
    return shade


@numba.njit(cache=True)
def _slabs(x, y, z, length, width, f):  # pragma: no cover - compiled
    row = np.floor(y / width)
    x = x + 0.5 * length * (row - 2.0 * np.floor(row / 2.0))
    own = hash3(int(np.floor(x / length)), int(row), 3) - 0.5
    joint = max(line(x, length, 0.012, f), line(y, width, 0.012, f))
    fade = min(1.0, max(0.0, 2.0 - 2.0 * f / width))
    shade = 1.0 + 0.24 * fade * own + 0.12 * grain(x, y, z, 0.03, f) + 0.12 * grain(x, y, z, 1.7, f)
    return shade * (1.0 - 0.5 * joint)


@numba.njit(cache=True)
def _kerb(along, z, f):  # pragma: no cover - compiled
    own = cell(along, 0.0, 0.0, 1.0) - 0.5
    return (1.05 + 0.2 * own + 0.2 * grain(along, z, 0.0, 0.02, f)) * (1.0 - 0.6 * line(along, 1.0, 0.015, f))


@numba.njit(cache=True)
def _grass(x, y, z, f):  # pragma: no cover - compiled
    blades = 0.55 * grain(x, y, z, 0.04, f) + 0.35 * grain(x, y, z, 0.13, f)
    dry = grain(x, y, 0.0, 1.9, f) + 0.7 * grain(x, y, 5.0, 0.5, f)
    return 0.95 + blades + 0.14 * grain(x, y, z, 0.7, f) + 0.1 * dry, 0.16 * max(-0.4, dry)


@numba.njit(cache=True)
def _brick(along, z, f):  # pragma: no cover - compiled
    row = np.floor(z / 0.083)
    x = along + 0.125 * (row - 2.0 * np.floor(row / 2.0))
    own = hash3(int(np.floor(x / 0.25)), int(row), 11) - 0.5
    joint = max(line(x, 0.25, 0.012, f), line(z, 0.083, 0.012, f))
    fade = min(1.0, max(0.0, 2.0 - 2.0 * f / 0.083))
    shade = 1.0 + 0.4 * fade * own + 0.15 * grain(along, z, 0.0, 0.03, f) + 0.12 * grain(along, z, 0.0, 1.8, f)
    return shade + 0.55 * joint, -0.12 * joint + 0.1 * fade * own


@numba.njit(cache=True)
def _roof(along, z, up, f):  # pragma: no cover - compiled
    if up > 0.95:  # a flat one is gravelled
        return 1.0 + 0.3 * grain(along, z, 0.0, 0.04, f) + 0.1 * grain(along, z, 0.0, 1.5, f), 0.0
    slope = z / max(np.sqrt(max(1.0 - up * up, 0.0)), 0.2)
    own = hash3(int(np.floor(along / 0.3)), int(np.floor(slope / 0.34)), 13) - 0.5
    fade = min(1.0, max(0.0, 2.0 - 2.0 * f / 0.3))
    shade = (
        (1.0 + 0.3 * fade * own) * (1.0 - 0.5 * line(slope, 0.34, 0.03, f)) * (1.0 - 0.25 * line(along, 0.3, 0.04, f))
    )
    moss = grain(along, slope, 0.0, 2.0, f) + 0.5 * grain(along, slope, 3.0, 0.5, f)
    return shade * (1.0 + 0.12 * moss), 0.05 * moss


@numba.njit(cache=True)
def _foliage(x, y, z, f):  # pragma: no cover - compiled
    """Leaves of a hand's breadth before the dark between them."""
    leaf = grain(x, y, z, 0.07, f) + 0.7 * grain(x, y, z, 0.17, f)
    gap = max(0.0, -0.25 - leaf)
    tone = grain(x, y, z, 0.9, f)
    return max(0.06, 0.95 + 0.45 * leaf - 1.3 * gap + 0.15 * tone), 0.07 * tone + 0.05 * leaf
