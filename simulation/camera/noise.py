"""Reproducible noise in space: the same place has the same value in every frame, camera and run."""

from __future__ import annotations

import numba
import numpy as np

from simulation.murmur import mixed


@numba.njit("float64(int64, int64, int64)", cache=True)
def hash3(x: int, y: int, z: int) -> float:  # pragma: no cover - compiled
    """Three integers spread evenly over 0..1."""
    key = np.uint32((x * 0x8DA6B343) ^ (y * 0xD8163841) ^ (z * 0xCB1AB31F))
    return (mixed(key) >> np.uint32(8)) * (1.0 / (1 << 24))


@numba.njit("float64(float64, float64, float64, float64)", cache=True)
def cell(x: float, y: float, z: float, size: float) -> float:  # pragma: no cover - compiled
    """One value, 0..1, for each cube of edge ``size``."""
    return hash3(int(np.floor(x / size)), int(np.floor(y / size)), int(np.floor(z / size)))


@numba.njit("float64(float64, float64, float64, float64, float64, float64)", cache=True)
def _bilinear(a: float, b: float, c: float, d: float, x: float, y: float) -> float:  # pragma: no cover - compiled
    low, high = a + (b - a) * x, c + (d - c) * x
    return low + (high - low) * y


@numba.njit("float64(float64, float64, float64)", cache=True)
def smooth(x: float, y: float, z: float) -> float:  # pragma: no cover - compiled
    """Value noise, 0..1, of unit wavelength: smooth between random values at whole coordinates."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    x, y, z = x - fx, y - fy, z - fz
    x, y, z = x * x * (3 - 2 * x), y * y * (3 - 2 * y), z * z * (3 - 2 * z)
    low = _bilinear(hash3(i, j, k), hash3(i + 1, j, k), hash3(i, j + 1, k), hash3(i + 1, j + 1, k), x, y)
    k += 1
    high = _bilinear(hash3(i, j, k), hash3(i + 1, j, k), hash3(i, j + 1, k), hash3(i + 1, j + 1, k), x, y)
    return low + (high - low) * z


@numba.njit("float64(float64, float64, float64, float64, float64)", cache=True)
def grain(x: float, y: float, z: float, wave: float, footprint: float) -> float:  # pragma: no cover - compiled
    """Value noise of wavelength ``wave``, -1..1, fading out where a pixel's ``footprint`` cannot resolve it."""
    seen = 2.0 - 2.0 * footprint / wave
    if seen <= 0.0:
        return 0.0
    return min(seen, 1.0) * (2.0 * smooth(x / wave, y / wave, z / wave) - 1.0)


@numba.njit("float64(float64, float64, float64, float64)", cache=True)
def line(position: float, pitch: float, width: float, footprint: float) -> float:  # pragma: no cover - compiled
    """How much of a pixel one of the joints covers that are ``width`` wide and ``pitch`` apart: 0..1."""
    away = abs(position / pitch - np.floor(position / pitch + 0.5)) * pitch  # to the nearest joint's middle
    spread = max(footprint, 1e-4)
    covered = (min(away + spread / 2, width / 2) - max(away - spread / 2, -width / 2)) / spread
    fade = min(1.0, max(0.0, 2.0 - 2.0 * footprint / pitch))  # finer than the pixels: the mean alone is left
    return fade * min(1.0, max(0.0, covered)) + (1.0 - fade) * width / pitch
