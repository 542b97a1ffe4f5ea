"""Surfaces are not even: tyres polish wheel tracks, walls weather, a door bends where the wing does not.

Value noise (Lewis 1989) of two sizes of patch: what lies side by side is alike.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from simulation.murmur import mixed

UNEVEN_M = (5.0, 0.9)  # sizes of patches (metres): brightness of ground and walls
SKIN_M = (0.5, 0.2)  # parts of a smooth skin that mirror a pulse away together
PANE_M = (1.2, 0.6)
_NORM = (2 * (2 / 3) ** 3) ** -0.5  # interpolation between independent corners leaves (2/3)³ of their variance


@numba.njit(cache=True)
def unevenness(points, sizes_m=UNEVEN_M):  # pragma: no cover - compiled
    """Noise at ``points`` float64 [N,3] (metres): [N], mean 0, deviation about 1, nearly normal."""
    value = np.zeros(len(points))
    for layer in range(len(sizes_m)):
        at, corners = (0, 0, 0), np.empty(8)
        for n in range(len(points)):
            x, y, z = points[n, 0] / sizes_m[layer], points[n, 1] / sizes_m[layer], points[n, 2] / sizes_m[layer]
            i, j, k = math.floor(x), math.floor(y), math.floor(z)
            if n == 0 or at != (i, j, k):  # the next pulse often meets the same cell
                at = (i, j, k)
                for c in range(8):
                    corners[c] = _corner(i + (c & 1), j + (c >> 1 & 1), k + (c >> 2), layer)
            u, v, w = x - i, y - j, z - k
            low = (corners[0] * (1 - u) + corners[1] * u) * (1 - v) + (corners[2] * (1 - u) + corners[3] * u) * v
            high = (corners[4] * (1 - u) + corners[5] * u) * (1 - v) + (corners[6] * (1 - u) + corners[7] * u) * v
            value[n] += _NORM * (low * (1 - w) + high * w)
    return value


@numba.njit(cache=True)
def parts(points, sizes_m):  # pragma: no cover - compiled
    """The same noise spread evenly over 0..1: below a share s lies about that share of a surface, in patches."""
    value = unevenness(points, sizes_m)
    for n in range(len(value)):
        value[n] = 0.5 * math.erfc(-value[n] * 0.5**0.5)
    return value


@numba.njit(cache=True)
def _corner(i, j, k, layer):  # pragma: no cover - compiled
    """A value of deviation 1 for one corner of the lattice."""
    key = np.uint32((i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (layer * 2654435761))
    return (mixed(key) / 4294967296.0 - 0.5) * 12.0**0.5
