"""Where one ray is too few: at edges, and where the picture moves while the shutter is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from simulation.camera.noise import hash3
from simulation.rig import FOCAL_PX, HEIGHT, WIDTH
from simulation.scene import Hits, Scene

SLICES = 16  # of the exposure, for the ego vehicle's own motion
_MOST = 24  # extra rays of a pixel
_TILE = 8  # pixels: what moves may smear into neighbouring tiles


class Extra(NamedTuple):
    """Extra samples: ``pixel`` int64 [K] (row by row), place (``u``, ``v``) float32 [K] within it, and when: ``share``
    float32 [K] of the exposure, -0.5 .. 0.5."""

    pixel: np.ndarray
    u: np.ndarray
    v: np.ndarray
    share: np.ndarray


def motion_px(
    scene: Scene, hits: Hits, points: np.ndarray, ego: Callable[[float], np.ndarray], time_s: float
) -> np.ndarray:
    """How far each pixel's surface moves through the picture during ``time_s``: float32 [N] pixels.

    ``points`` float64 [N,3], street frame; ``ego(dt)``: camera to street (x right, y down, z
    ahead) at dt.
    """
    before, after = ego(-time_s / 2), ego(time_s / 2)
    drift = np.zeros((len(scene.placed) + 1, 3, 4))  # of each body: motion matrix over the exposure; the last stands
    for k, placed in enumerate(scene.placed):
        change = placed.pose_at(time_s / 2) @ np.linalg.inv(placed.pose_at(-time_s / 2))
        drift[k] = change[:3] - np.eye(4)[:3]
    which = scene.which(hits.triangle) if scene.placed else np.full(len(points), -1)
    return _motion(points, which, hits.triangle >= 0, drift, np.linalg.inv(before), np.linalg.inv(after))


@numba.njit(cache=True)
def _motion(points, which, seen, drift, before, after):  # pragma: no cover - compiled
    out = np.zeros(len(points), np.float32)
    for n in range(len(points)):
        if not seen[n]:
            continue
        x, y, z = points[n]
        d = drift[which[n]]
        dx = d[0, 0] * x + d[0, 1] * y + d[0, 2] * z + d[0, 3]
        dy = d[1, 0] * x + d[1, 1] * y + d[1, 2] * z + d[1, 3]
        dz = d[2, 0] * x + d[2, 1] * y + d[2, 2] * z + d[2, 3]
        u0, v0 = _pixel(before, x - dx / 2, y - dy / 2, z - dz / 2)
        u1, v1 = _pixel(after, x + dx / 2, y + dy / 2, z + dz / 2)
        out[n] = np.hypot(u1 - u0, v1 - v0)
    return out


@numba.njit(cache=True)
def _pixel(turn, x, y, z):  # pragma: no cover - compiled
    depth = max(turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + turn[2, 3], 0.1)
    right = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + turn[0, 3]
    down = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + turn[1, 3]
    return FOCAL_PX * right / depth, FOCAL_PX * down / depth


@numba.njit(cache=True)
def edges(triangle, range_m, normal, surface):  # pragma: no cover - compiled
    """Pixels at which the surface changes, uint8 [H·W]. ``surface`` int64 [H·W]: what colour and material it has."""
    out = np.zeros(HEIGHT * WIDTH, np.uint8)
    for v in range(HEIGHT):
        for u in range(WIDTH):
            n = v * WIDTH + u
            for k in range(2):
                if (k == 0 and u + 1 == WIDTH) or (k == 1 and v + 1 == HEIGHT):
                    continue
                other = n + 1 if k == 0 else n + WIDTH
                if triangle[n] == triangle[other]:
                    continue
                apart = abs(range_m[n] - range_m[other]) > 0.02 * range_m[n] + 0.1
                bent = 0.0
                for c in range(3):
                    bent += normal[n, c] * normal[other, c]
                if surface[n] != surface[other] or bent < 0.93 or (apart and bent < 0.9999):
                    out[n] = 1
                    out[other] = 1
    return out


@numba.njit(cache=True)
def extra(edge, motion):  # pragma: no cover - compiled
    """Extra samples for the pixels with an ``edge`` uint8 [H·W], and for those with ``motion`` float32 [H·W] (pixels)
    in them or so near that it may smear over them."""
    rows, columns = (HEIGHT + _TILE - 1) // _TILE, (WIDTH + _TILE - 1) // _TILE
    fastest = np.zeros((rows, columns), np.float32)
    for n in range(HEIGHT * WIDTH):
        i, j = n // WIDTH // _TILE, n % WIDTH // _TILE
        fastest[i, j] = max(fastest[i, j], motion[n])
    spread = np.zeros_like(fastest)
    for i in range(rows):
        for j in range(columns):
            reach = int(np.ceil(fastest[i, j] / 2 / _TILE)) if fastest[i, j] > 1.0 else 0
            for a in range(max(i - reach, 0), min(i + reach + 1, rows)):
                for b in range(max(j - reach, 0), min(j + reach + 1, columns)):
                    spread[a, b] = max(spread[a, b], fastest[i, j])
    counts = np.zeros(HEIGHT * WIDTH, np.int64)
    for n in range(HEIGHT * WIDTH):
        length = spread[n // WIDTH // _TILE, n % WIDTH // _TILE]
        counts[n] = edge[n]
        if length > 1.0:
            counts[n] = min(max(int(np.ceil(length)), 1), _MOST)
    total = counts.sum()
    pixel, place = np.empty(total, np.int64), np.empty((total, 2), np.float32)
    share = np.empty(total, np.float32)
    first = 0
    for n in range(HEIGHT * WIDTH):
        for k in range(counts[n]):
            pixel[first] = n
            share[first] = (k + hash3(n, k, 3)) / counts[n] - 0.5
            place[first, 0] = n % WIDTH + hash3(n, k, 1) - 0.5
            place[first, 1] = n // WIDTH + hash3(n, k, 2) - 0.5
            if counts[n] == 1:  # half a pixel aside: with the centre a pattern of five, the corners shared
                place[first, 0] = n % WIDTH + 0.5
                place[first, 1] = n // WIDTH + 0.5
            first += 1
    return Extra(pixel, place[:, 0].copy(), place[:, 1].copy(), share)
