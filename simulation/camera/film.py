"""From light to grey levels: exposure, lens, sensor noise, white balance and the tone curve of KITTI's colour cameras.

The sensor is a Sony ICX267's kind (Point Grey Flea2, as KITTI's): full well, read noise and the shutter's limit are of
that order. The tone curve was set so that histograms of sunny streets match those of real pictures: deep shadows, a
sky that is often burnt out.
"""

from __future__ import annotations

import numba
import numpy as np

from simulation.camera.sky import Daylight
from simulation.settings import CameraSettings

_FULL_WELL = 13_000.0  # electrons
_READ_NOISE = 9.0  # electrons
_SPEED = 0.6  # share of the full well per cd/m² and second: lens, filter and quantum efficiency together
_LONGEST_DAY_S, _LONGEST_NIGHT_S = 0.002, 0.010  # KITTI's shutter limit (Geiger et al. 2013), and ours in the dark
_DARK_CD = 60.0  # below this scene luminance the longer limit holds
_HIGHEST_GAIN = 32.0
_TYPICAL, _MEAN = 0.086, 0.2  # where exposure puts the street's geometric mean or its mean at least, of full scale
_FLAT_MEAN = 0.3  # what more of it a scene without contrast gets, such as fog, which does not burn out
_GAMMA = 1.32
_SOFTNESS = 0.13  # of the lens and of rectification: what each neighbour receives of a pixel's light
_SATURATION = 0.8  # of the colour matrix


def shutter(luminance: np.ndarray, settings: CameraSettings) -> tuple[float, float]:
    """Exposure time (s) and gain for a picture whose pixels have ``luminance`` float32 [H,W] (cd/m²).

    Metered on the picture's lower two thirds, so the sky burns out rather than the street sink into black. A
    ``settings.exposure_s`` of 0 freezes what moves; the light is then that of the metered time.
    """
    street = np.minimum(luminance[len(luminance) // 3 :: 3, ::3], 4.0e4)
    typical = float(np.exp(np.log(street + 1e-3).mean(dtype=np.float64)))
    mean = float(street.mean(dtype=np.float64) + 1e-3)
    wanted = max(_TYPICAL / typical, (_MEAN + _FLAT_MEAN * (typical / mean) ** 4) / mean) / _SPEED
    longest = _LONGEST_DAY_S if typical > _DARK_CD else _LONGEST_NIGHT_S
    time_s = settings.exposure_s or min(wanted, longest)
    gain = min(max(wanted / time_s, 1.0), _HIGHEST_GAIN)
    return time_s, gain


def full_scale(time_s: float, gain: float) -> np.float32:
    """The luminance (cd/m²) that saturates the sensor."""
    return np.float32(1.0 / (_SPEED * time_s * gain))


def develop(
    luminance: np.ndarray, time_s: float, gain: float, day: Daylight, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """The picture, uint8 BGR [H,W,3], of ``luminance`` float32 [H,W,3] (RGB, cd/m²): ``noise`` times the sensor's own
    is added."""
    charge = luminance * np.float32(_SPEED * time_s)
    charge += _glow(charge * np.float32(gain)) / np.float32(gain)
    draws = rng.standard_normal(charge.shape, np.float32)
    _record(charge, draws, np.float32(noise))
    return _grey_levels(_soften(charge), np.float32(gain), white_balance(day), _CURVE)


def white_balance(day: Daylight) -> np.ndarray:
    """Gains of red, green and blue, float32 [3]: most of the way to where daylight on a level surface looks grey."""
    light = day.sky_lux + 0.7 * day.sun_lux
    gains = (light[1] / light) ** np.float32(0.7) * np.array([0.98, 1.0, 1.03], np.float32)  # real pictures are bluish
    return (gains / gains.min()).astype(np.float32)  # what saturates the sensor is white


_CURVE = (255.0 * (np.arange(16385) / 16384.0) ** (1.0 / _GAMMA) + 0.5).astype(np.uint8)


@numba.njit(cache=True)
def _record(charge, draws, noise):  # pragma: no cover - compiled
    """Shot and read noise (``draws`` [H,W,3], normal), and the full well, in place: ``charge`` is in shares of it."""
    height, width, _ = charge.shape
    for v in range(height):
        for u in range(width):
            for c in range(3):
                signal = min(charge[v, u, c], np.float32(4.0))
                variance = signal / np.float32(_FULL_WELL) + np.float32((_READ_NOISE / _FULL_WELL) ** 2)
                charge[v, u, c] = min(signal + noise * np.sqrt(variance) * draws[v, u, c], np.float32(1.0))


@numba.njit(cache=True)
def _grey_levels(charge, gain, balance, curve):  # pragma: no cover - compiled
    """Gain, white balance, colour matrix and tone curve: uint8 BGR."""
    height, width, _ = charge.shape
    out = np.empty((height, width, 3), np.uint8)
    for v in range(height):
        for u in range(width):
            red = min(gain * balance[0] * charge[v, u, 0], np.float32(1.0))
            green = min(gain * balance[1] * charge[v, u, 1], np.float32(1.0))
            blue = min(gain * balance[2] * charge[v, u, 2], np.float32(1.0))
            grey = (np.float32(1.0) - np.float32(_SATURATION)) * (red + green + green + blue) * np.float32(0.25)
            for c, value in enumerate((blue, green, red)):
                level = min(max(grey + np.float32(_SATURATION) * value, np.float32(0.0)), np.float32(1.0))
                out[v, u, c] = curve[int(level * np.float32(16384.0))]
    return out


@numba.njit(cache=True)
def _soften(image):  # pragma: no cover - compiled
    """A lens's blur: [a, 1-2a, a] along both axes of float32 [H,W,3]; the border keeps its own."""
    height, width, _ = image.shape
    a, rows = np.float32(_SOFTNESS), np.empty_like(image)
    for v in range(height):
        for u in range(width):
            left, right = max(u - 1, 0), min(u + 1, width - 1)
            for c in range(3):
                own = image[v, u, c]
                rows[v, u, c] = own + a * (image[v, left, c] + image[v, right, c] - own - own)
    out = np.empty_like(image)
    for v in range(height):
        above, below = max(v - 1, 0), min(v + 1, height - 1)
        for u in range(width):
            for c in range(3):
                own = rows[v, u, c]
                out[v, u, c] = own + a * (rows[above, u, c] + rows[below, u, c] - own - own)
    return out


def _glow(signal: np.ndarray) -> np.ndarray | np.float32:
    """Stray light round what is far brighter than full scale (``signal`` 1), float32 [H,W,3]."""
    import cv2

    height, width, _ = signal.shape
    excess = np.clip(signal[::4, ::4] - np.float32(2.0), 0.0, 150.0)
    if not excess.any():
        return np.float32(0.0)
    small = np.float32(0.012) * cv2.GaussianBlur(excess, (0, 0), 1.2) + np.float32(0.006) * cv2.GaussianBlur(
        excess, (0, 0), 7.0
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
