"""The sky's light: how much of it there is by the sun's height, and how it is spread over the sky with its clouds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from simulation.camera.noise import grain, smooth
from simulation.weather import Weather

_CITY_GLOW_LUX = 0.6  # of a night sky above a town
_AIR = np.array([0.12, 0.2, 0.34])  # optical depth of clear air: red, green, blue


class Daylight(NamedTuple):
    """``sun`` float32 [3], towards it; ``sun_lux``, ``sky_lux`` float32 [3]: what the sun gives a surface that faces
    it, and the sky a level one, in red, green and blue (lux; white light is equal in all three); ``overcast`` 0..1;
    ``air`` float32 [3]: luminance of thick haze, cd/m²; ``extinction_per_m``."""

    sun: np.ndarray
    sun_lux: np.ndarray
    sky_lux: np.ndarray
    overcast: float
    air: np.ndarray
    extinction_per_m: float


def daylight(weather: Weather) -> Daylight:
    """Light from outside. The sky's share follows the IES *Handbook*'s fits by the sun's height (clear: 800 + 15 500
    sqrt(sin h) lux; overcast: 300 + 21 000 sin h), the sun's 127 500 lux dimmed by the air on its way."""
    height = max(weather.sun[2], 0.0)
    up = weather.sun[2] > 0.0
    mass = 1.0 / (height + 0.05)
    through = 127_500.0 * np.exp(-0.08 * mass - _AIR * mass) if up else np.zeros(3)
    gap = min(1.0, max(0.0, 1.2 * (1.0 - weather.overcast)))
    clearness = gap * gap * (3.0 - 2.0 * gap) * min(1.0, weather.visibility_m / 2000.0)
    grey = weather.overcast
    clear_lux = (800.0 + 15_500.0 * math.sqrt(height)) * np.array([0.9, 1.0, 1.17])
    grey_lux = (300.0 + 21_000.0 * height) * np.array([0.98, 1.0, 1.03])
    sky = ((1.0 - grey) * clear_lux + grey * grey_lux) * weather.daylight + _CITY_GLOW_LUX * np.array([1.2, 1.0, 0.75])
    sun = through * clearness
    air = (sky + 0.3 * height * sun) / math.pi
    f32 = np.float32
    return Daylight(
        f32(weather.sun), sun.astype(f32), sky.astype(f32), weather.overcast, air.astype(f32), weather.extinction_per_m
    )


@numba.njit(cache=True)
def radiance(directions, sun, sun_lux, sky_lux, overcast, air, extinction):  # pragma: no cover - compiled
    """Luminance (cd/m², red, green, blue) of the sky in ``directions`` float32 [N,3]: float32 [N,3].

    Below the horizon and a little above it stands the far land, grey-green in the haze.
    """
    out = np.empty((len(directions), 3), np.float32)
    for n in range(len(directions)):
        x, y, z = directions[n, 0], directions[n, 1], directions[n, 2]
        up = max(z, 0.0)
        to_sun = x * sun[0] + y * sun[1] + z * sun[2]
        shape = 0.62 + 1.25 * np.exp(-4.0 * up)
        glow = 1.6 * max(to_sun, 0.0) ** 12 + 14.0 * max(to_sun, 0.0) ** 400
        cover, thick = _clouds(x, y, up, overcast)
        dome = 0.75 + 0.5 * up
        azimuth = np.arctan2(y, x)
        skyline = 0.004 + 0.02 * smooth(azimuth * 6.0, 0.0, 1.0) + 0.006 * smooth(azimuth * 60.0, 0.0, 2.0)
        skyline += 0.003 * smooth(azimuth * 400.0, 0.0, 3.0)
        for c in range(3):
            sky = sky_lux[c] / np.pi * shape
            if c == 2:
                sky *= 1.12 + 0.2 * up
            elif c == 0:
                sky *= 0.8 - 0.3 * up + 0.22 * np.exp(-8.0 * up)
            clear = sky + sun_lux[c] / 30.0 * glow
            white = (sky_lux[c] * dome + 0.55 * sun_lux[c] * (0.35 + 0.65 * max(sun[2], 0.1))) / np.pi
            value = (1.0 - cover) * clear + cover * white * (1.0 - 0.35 * thick)
            if z < skyline:
                away = 900.0 if z > 0 else 300.0
                haze = np.exp(-extinction * away)
                tint = 0.05 if c == 0 else 0.07 if c == 1 else 0.045
                value = air[c] * (1.0 - haze) + haze * tint * (sky_lux[c] + sun_lux[c] * max(sun[2], 0.0)) / np.pi
            else:
                haze = np.exp(-extinction * 8.0e2 / (up + 0.08))  # the air thins upwards
                value = air[c] * (1.0 - haze) + haze * value
            out[n, c] = value
    return out


@numba.njit(cache=True)
def _clouds(x, y, up, overcast):  # pragma: no cover - compiled
    """How much cloud covers the sky in a direction, and how thick it is there: both 0..1."""
    reach = 3.0 / (up + 0.12)
    u, v = x * reach, y * reach
    puffs = smooth(u, v, 0.5) + 0.5 * smooth(2.1 * u, 2.1 * v, 1.5) + 0.25 * smooth(4.3 * u, 4.3 * v, 2.5)
    puffs = (puffs + 0.12 * smooth(9.0 * u, 9.0 * v, 3.5)) / 1.87
    edge = 0.72 - 0.5 * overcast
    cover = min(1.0, max(0.0, (puffs - edge) / 0.16))
    cover = cover * cover * (3.0 - 2.0 * cover)
    solid = min(1.0, max(0.0, (overcast - 0.75) * 5.0))
    return max(cover, solid), min(1.0, max(0.0, (puffs - 0.3) * 2.2 + 0.3 * grain(u, v, 7.0, 3.0, 0.0)))
