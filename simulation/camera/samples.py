"""Where one ray is too few, and where in a pixel and in the exposure further ones go."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from simulation.camera.noise import hash3
from simulation.rig import Optics

SLICES = 16  # of the exposure, for the ego vehicle's own motion


class Extra(NamedTuple):
    """Extra samples: ``pixel`` int64 [K] (row by row), place (``u``, ``v``) float32 [K] within it, and when: ``share``
    float32 [K] of the exposure, -0.5 .. 0.5."""

    pixel: np.ndarray
    u: np.ndarray
    v: np.ndarray
    share: np.ndarray


_CONTRAST, _FAINT = np.float32(0.08), np.float32(0.004)  # seen: share of the brighter, and of full scale


@numba.njit(cache=True)
def edges(triangle, range_m, normal, surface, leafy, luminance, full, width):  # pragma: no cover - compiled
    """Pixels at which the surface changes and the change is seen, int64 [H·W]: 1 there.

    ``surface`` int64 [H·W]: what object and material it is; within ``leafy`` ones (bool [H·W]) everything is an edge,
    and none is taken for one. ``luminance`` float32 [H·W,3]; ``full``: what saturates the sensor; ``width``:
    of a row.
    """
    out, height = np.zeros(len(triangle), np.int64), len(triangle) // width
    for v in range(height):
        for u in range(width):
            n = v * width + u
            for k in range(2):
                if (k == 0 and u + 1 == width) or (k == 1 and v + 1 == height):
                    continue
                other = n + 1 if k == 0 else n + width
                if triangle[n] == triangle[other] or not differ(luminance, n, other, full):
                    continue
                apart = abs(range_m[n] - range_m[other]) > 0.02 * range_m[n] + 0.1
                bent = 0.0
                for c in range(3):
                    bent += normal[n, c] * normal[other, c]
                if surface[n] == surface[other] and leafy[n]:
                    continue
                if surface[n] != surface[other] or bent < 0.93 or (apart and bent < 0.9999):
                    out[n] = 1
                    out[other] = 1
    return out


@numba.njit(cache=True)
def differ(luminance, n, other, full):  # pragma: no cover - compiled
    """Whether two pixels of ``luminance`` [H·W,3] can be told apart in a picture that saturates at ``full``."""
    for c in range(3):
        one, two = min(luminance[n, c], full), min(luminance[other, c], full)
        if abs(one - two) > _CONTRAST * max(one, two) + _FAINT * full:
            return True
    return False


@numba.njit(cache=True)
def extra(counts, width):  # pragma: no cover - compiled
    """Extra samples, ``counts`` int64 [H·W] of them in each pixel, spread over its area and the exposure. A row
    is ``width`` pixels."""
    total = counts.sum()
    pixel, place = np.empty(total, np.int64), np.empty((total, 2), np.float32)
    share = np.empty(total, np.float32)
    first = 0
    for n in range(len(counts)):
        for k in range(counts[n]):
            pixel[first] = n
            share[first] = (k + hash3(n, k, 3)) / counts[n] - 0.5
            place[first, 0] = n % width + hash3(n, k, 1) - 0.5
            place[first, 1] = n // width + hash3(n, k, 2) - 0.5
            if counts[n] == 1:  # half a pixel aside: with the centre a pattern of five, the corners shared
                place[first, 0] = n % width + 0.5
                place[first, 1] = n // width + 0.5
            first += 1
    return Extra(pixel, place[:, 0].copy(), place[:, 1].copy(), share)


@numba.njit(cache=True)
def rays(extra, poses, slices_s, optics: Optics):  # pragma: no cover - compiled
    """Starts float64 [K,3], unit directions float32 [K,3] (street frame) and times float32 [K] of extra samples.

    ``poses`` float64 [SLICES,4,4]: camera to street in each slice of the exposure, ``slices_s`` [SLICES] its time.
    """
    count = len(extra.pixel)
    starts, directions = np.empty((count, 3)), np.empty((count, 3), np.float32)
    dt_s = np.empty(count, np.float32)
    for k in range(count):
        own = min(max(int(np.floor((extra.share[k] + 0.5) * SLICES)), 0), SLICES - 1)
        x, y = (extra.u[k] - optics.centre_u) / optics.focal_px, (extra.v[k] - optics.centre_v) / optics.focal_px
        scale = 1.0 / np.sqrt(x * x + y * y + 1.0)
        for c in range(3):
            starts[k, c] = poses[own, c, 3]
            directions[k, c] = scale * (poses[own, c, 0] * x + poses[own, c, 1] * y + poses[own, c, 2])
        dt_s[k] = slices_s[own]
    return starts, directions, dt_s


@numba.njit(cache=True)
def same_surface(extra, counts, triangle, own_triangle, width):  # pragma: no cover - compiled
    """For each extra sample that is its pixel's only one: a pixel beside it whose own ray met the same triangle, int64
    [K], whose light it may share; -1 where there is none.

    ``counts`` int64 [H·W]: extra samples of each pixel; ``triangle`` int64 [K]: what the samples met;
    ``own_triangle`` int64 [H·W]: what the pixels' own rays met; ``width``: of a row.
    """
    out = np.full(len(triangle), -1, np.int64)
    for k in range(len(triangle)):
        n = extra.pixel[k]
        if counts[n] != 1:
            continue
        for step in (0, 1, width, width + 1):
            beside = n + step
            if (step % width and n % width + 1 == width) or beside >= len(counts):
                continue
            if own_triangle[beside] == triangle[k]:
                out[k] = beside
                break
    return out
