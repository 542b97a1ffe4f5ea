"""Surfaces are not even: tyres polish wheel tracks, walls weather, mown grass differs from trodden grass."""

from __future__ import annotations

import numba
import numpy as np

_PATCHES_M = (5.0, 0.9)  # sizes of the two layers of patches
_NORM = (2 * (2 / 3) ** 3) ** -0.5  # interpolation between independent corners leaves (2/3)³ of their variance


@numba.njit(cache=True)
def unevenness(points):  # pragma: no cover - compiled
    """Value noise (Lewis 1989) at ``points`` float64 [N,3] (metres, street frame): [N], mean 0, deviation about 1."""
    value = np.zeros(len(points))
    for n in range(len(points)):
        for layer in range(len(_PATCHES_M)):
            x, y, z = (
                points[n, 0] / _PATCHES_M[layer],
                points[n, 1] / _PATCHES_M[layer],
                points[n, 2] / _PATCHES_M[layer],
            )
            i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
            fx, fy, fz = x - i, y - j, z - k
            for corner in range(8):
                a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
                weight = (fx if a else 1.0 - fx) * (fy if b else 1.0 - fy) * (fz if c else 1.0 - fz)
                value[n] += weight * _corner(i + a, j + b, k + c, layer)
        value[n] *= _NORM
    return value


@numba.njit(cache=True)
def _corner(i, j, k, layer):  # pragma: no cover - compiled
    """A value of deviation 1 for one corner of the lattice (finaliser of MurmurHash3)."""
    h = np.uint32((i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (layer * 2654435761))
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return ((h ^ (h >> np.uint32(16))) / 4294967296.0 - 0.5) * 12.0**0.5
