"""SSD's photometric distortion (Liu et al., ECCV 2016; Howard, 2013): light, contrast, saturation, hue."""

from __future__ import annotations

import cv2
import numpy as np

_BRIGHTER, _CONTRAST, _SATURATION = 32, (0.5, 1.5), (0.5, 1.5)
_HUE_DEGREES = 18
_CHANGED_SHARE = 0.5


def distorted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``image`` uint8 [H, W, 3] BGR with each of the four changed for half of the samples; the contrast before or after
    the colours. (SSD's rare exchange of channels is left out: road users have no violet skies.)"""
    brightness, contrast, saturation, hue = rng.random(4) < _CHANGED_SHARE
    contrast_first = rng.random() < 0.5
    offset = rng.uniform(-_BRIGHTER, _BRIGHTER) if brightness else 0.0
    gain = rng.uniform(*_CONTRAST) if contrast else 1.0
    saturation_gain = rng.uniform(*_SATURATION) if saturation else 1.0
    turn = rng.uniform(-_HUE_DEGREES, _HUE_DEGREES) if hue else 0.0
    values = np.arange(256, dtype=np.float64)
    before = (values + offset) * (gain if contrast_first else 1.0)
    image = cv2.LUT(image, _table(before))
    if saturation or hue:
        image = _recoloured(image, saturation_gain, turn)
    if contrast and not contrast_first:
        image = cv2.LUT(image, _table(values * gain))
    return image


def _recoloured(image: np.ndarray, saturation_gain: float, turn_degrees: float) -> np.ndarray:
    values = np.arange(256, dtype=np.float64)
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))  # OpenCV's hue is in steps of 2°
    hue = cv2.LUT(hue, np.rint((values + turn_degrees / 2) % 180).astype(np.uint8) % 180)
    saturation = cv2.LUT(saturation, _table(values * saturation_gain))
    return cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2BGR)


def _table(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)
