"""What moves while the shutter is open smears.

Where a surface and all that it smears over move alike, the light of the picture's own pixels is averaged along the
motion. Where they do not, at the outlines of what moves, rays that are sent during the exposure decide.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from simulation.camera.samples import differ
from simulation.scene import Hits, Scene

_TILE = 8  # pixels
_STILL_PX = 1.0  # a shorter smear is not seen
_ALIKE = 0.3  # motions that differ by less than this share, and a pixel, count as one
_MOST_RAYS = 6  # in a pixel


def motion_px(
    scene: Scene,
    hits: Hits,
    points: np.ndarray,
    ego: Callable[[float], np.ndarray],
    time_s: float,
    focal_px: float,
) -> np.ndarray:
    """How far each pixel's surface moves through the picture during ``time_s``: float32 [N,2], u and v (pixels).

    ``points`` float64 [N,3], street frame; ``ego(dt)``: camera to street (x right, y down, z
    ahead) at dt.
    """
    before, after = ego(-time_s / 2), ego(time_s / 2)
    drift = np.zeros((len(scene.placed) + 1, 3, 4))  # of each body: motion matrix over the exposure; the last stands
    for k, placed in enumerate(scene.placed):
        change = placed.pose_at(time_s / 2) @ np.linalg.inv(placed.pose_at(-time_s / 2))
        drift[k] = change[:3] - np.eye(4)[:3]
    which = scene.which(hits.triangle) if scene.placed else np.zeros(len(points), np.int64)
    return _motion(points, which, hits.triangle >= 0, drift, np.linalg.inv(before), np.linalg.inv(after), focal_px)


@numba.njit(cache=True)
def _motion(points, which, seen, drift, before, after, focal_px):  # pragma: no cover - compiled
    out = np.zeros((len(points), 2), np.float32)
    for n in range(len(points)):
        if not seen[n]:
            continue
        x, y, z, k = points[n, 0], points[n, 1], points[n, 2], which[n]
        dx = drift[k, 0, 0] * x + drift[k, 0, 1] * y + drift[k, 0, 2] * z + drift[k, 0, 3]
        dy = drift[k, 1, 0] * x + drift[k, 1, 1] * y + drift[k, 1, 2] * z + drift[k, 1, 3]
        dz = drift[k, 2, 0] * x + drift[k, 2, 1] * y + drift[k, 2, 2] * z + drift[k, 2, 3]
        u0, v0 = _pixel(before, x - dx / 2, y - dy / 2, z - dz / 2, focal_px)
        u1, v1 = _pixel(after, x + dx / 2, y + dy / 2, z + dz / 2, focal_px)
        out[n, 0], out[n, 1] = u1 - u0, v1 - v0
    return out


@numba.njit(cache=True)
def _pixel(turn, x, y, z, focal_px):  # pragma: no cover - compiled
    depth = max(turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + turn[2, 3], 0.1)
    right = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + turn[0, 3]
    down = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + turn[1, 3]
    return focal_px * right / depth, focal_px * down / depth


@numba.njit(cache=True)
def smear(luminance, motion, full, width):  # pragma: no cover - compiled
    """Smear ``luminance`` float32 [H·W,3] along ``motion`` float32 [H·W,2] (pixels); a row is ``width`` pixels.

    Returns the smeared picture and int64 [H·W]: how many rays each pixel wants where this cannot be known from it and
    is seen in a picture that saturates at ``full``.
    """
    out, rays, height = luminance.copy(), np.zeros(len(luminance), np.int64), len(luminance) // width
    fastest = _spread(motion, width)
    for n in range(len(luminance)):
        v, u = n // width, n % width
        most_u, most_v = fastest[v // _TILE, u // _TILE, 0], fastest[v // _TILE, u // _TILE, 1]
        most = np.hypot(most_u, most_v)
        if most <= _STILL_PX:
            continue
        du, dv = motion[n, 0], motion[n, 1]
        alike = np.hypot(most_u - du, most_v - dv) <= 1.0 + _ALIKE * most
        steps = int(np.ceil(np.hypot(du, dv)))
        red, green, blue = 0.0, 0.0, 0.0
        for k in range(steps if alike else 0):
            share = (k + 0.5) / steps - 0.5
            i, j = int(np.round(v - share * dv)), int(np.round(u - share * du))
            at = min(max(i, 0), height - 1) * width + min(max(j, 0), width - 1)
            if np.hypot(motion[at, 0] - du, motion[at, 1] - dv) > 1.0 + _ALIKE * steps:
                alike = False
                break
            red, green, blue = red + luminance[at, 0], green + luminance[at, 1], blue + luminance[at, 2]
        if not alike and _varied(luminance, n, most_u, most_v, full, width):
            rays[n] = min(int(np.ceil(most)), _MOST_RAYS)
        elif not alike:
            continue
        elif steps > 1:
            out[n, 0], out[n, 1], out[n, 2] = red / steps, green / steps, blue / steps
    return out, rays


@numba.njit(cache=True)
def _varied(luminance, n, du, dv, full, width):  # pragma: no cover - compiled
    """Whether anything beside pixel ``n``, half as far as (du, dv) either way, can be told from it."""
    v, u, steps, height = n // width, n % width, int(np.ceil(np.hypot(du, dv))), len(luminance) // width
    for k in range(-steps - 1, steps + 2):
        i, j = int(np.round(v + 0.5 * k * dv / steps)), int(np.round(u + 0.5 * k * du / steps))
        if 0 <= i < height and 0 <= j < width and differ(luminance, n, i * width + j, full):
            return True
    return False


@numba.njit(cache=True)
def _spread(motion, width):  # pragma: no cover - compiled
    """The longest motion that may smear into each tile: float32 [rows, columns, 2]."""
    rows, columns = (len(motion) // width + _TILE - 1) // _TILE, (width + _TILE - 1) // _TILE
    own, spread = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 2), np.float32)
    for n in range(len(motion)):
        i, j = n // width // _TILE, n % width // _TILE
        if np.hypot(motion[n, 0], motion[n, 1]) > np.hypot(own[i, j, 0], own[i, j, 1]):
            own[i, j, 0], own[i, j, 1] = motion[n, 0], motion[n, 1]
    for i in range(rows):
        for j in range(columns):
            length = np.hypot(own[i, j, 0], own[i, j, 1])
            reach = int(np.ceil(length / 2 / _TILE)) if length > _STILL_PX else 0
            for a in range(max(i - reach, 0), min(i + reach + 1, rows)):
                for b in range(max(j - reach, 0), min(j + reach + 1, columns)):
                    if length > np.hypot(spread[a, b, 0], spread[a, b, 1]):
                        spread[a, b, 0], spread[a, b, 1] = own[i, j, 0], own[i, j, 1]
    return spread
