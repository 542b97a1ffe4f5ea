"""Falling rain in a picture: short pale streaks, more and longer the heavier it falls and the longer the shutter is."""

from __future__ import annotations

import numba
import numpy as np

from simulation.camera.sky import Daylight

_SPEED_MPS = 7.0  # of falling drops
_NEAR_M, _FAR_M = 0.8, 9.0
_PER_MMPH = 45.0  # streaks in a picture


def rainfall(
    luminance: np.ndarray,
    focal_px: float,
    rain_mmph: float,
    time_s: float,
    day: Daylight,
    rng: np.random.Generator,
) -> None:
    """Draw ``rain_mmph`` of rain into ``luminance`` float32 [H,W,3] (cd/m²), in place."""
    count = int(rng.poisson(_PER_MMPH * rain_mmph))
    height, width, _ = luminance.shape
    depth_m = (_NEAR_M**3 + rng.random(count) * (_FAR_M**3 - _NEAR_M**3)) ** (1 / 3)  # evenly spread in space
    start = rng.random((count, 2)) * (width, height)
    slant = 0.12 * rng.standard_normal() + 0.03 * rng.standard_normal(count)
    drop_px = 0.0015 / depth_m * focal_px
    length_px = np.maximum(_SPEED_MPS * time_s * focal_px / depth_m, drop_px)
    shade = np.minimum(0.5, drop_px) * np.maximum(drop_px, 1.0) / np.maximum(length_px, 1.0) ** 0.5
    _streaks(luminance, start, slant, length_px, np.maximum(drop_px, 1.0), np.minimum(shade, 0.45), 0.9 * day.air)


@numba.njit(cache=True)
def _streaks(image, start, slant, length_px, width_px, shade, light):  # pragma: no cover - compiled
    """Blend ``light`` [3] into ``image`` along short lines, ``shade`` [K] of it at each pixel."""
    height, width, _ = image.shape
    for k in range(len(start)):
        for step in range(int(np.ceil(length_px[k]))):
            v = int(start[k, 1]) + step
            left = start[k, 0] + slant[k] * step
            for u in range(int(left), int(left + np.ceil(width_px[k]))):
                if 0 <= v < height and 0 <= u < width:
                    for c in range(3):
                        image[v, u, c] += shade[k] * (light[c] - image[v, u, c])
