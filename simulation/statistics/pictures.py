"""Statistics of one colour picture."""

from __future__ import annotations

import numpy as np

from simulation.statistics.histograms import counted
from simulation.statistics.quantities import PICTURE, Tally

_ROWS = 15  # bands of a picture
_TILE_PX = 32
_COLOURED = 40  # saturation from which hue means something


def measure_picture(bgr: np.ndarray) -> Tally:
    """The statistics of ``bgr`` uint8 [H,W,3]. Brightness is Y of ITU-R BT.601."""
    import cv2

    grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    hue, saturation, _ = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV))
    level = grey.astype(np.float32)
    gradient = np.hypot(cv2.Sobel(level, -1, 1, 0) / 8, cv2.Sobel(level, -1, 0, 1) / 8)
    band = np.arange(len(grey)) * _ROWS // len(grey)
    rows = np.bincount(band, minlength=_ROWS).astype(float)
    noise = noise_levels(level)
    blue, green, red = (np.array([bgr[..., channel].mean()]) for channel in range(3))
    one = np.ones(1)
    return {
        "red": (red, one),
        "green": (green, one),
        "blue": (blue, one),
        "contrast": (np.array([level.std()], float), one),
        "burnt": (np.array([100 * (grey >= 250).mean()]), one),
        "deep": (np.array([100 * (grey <= 20).mean()]), one),
        "sharpness": (np.array([cv2.Laplacian(level, -1).std()], float), one),
        "noise": (np.nan_to_num([noise]), np.isfinite([noise]).astype(float)),
        "brightness": _histogram("brightness", grey),
        "saturation": _histogram("saturation", saturation),
        "hue": _histogram("hue", 2.0 * hue[saturation >= _COLOURED]),  # OpenCV halves degrees to fit a byte
        "gradient": _histogram("gradient", gradient),
        "brightness_rows": (np.bincount(band, level.mean(1), _ROWS), rows),
        "gradient_rows": (np.bincount(band, gradient.mean(1), _ROWS), rows),
    }


def noise_levels(grey: np.ndarray) -> float:
    """Standard deviation of the noise of ``grey`` float32 [H,W], as the lower quartile over tiles.

    Immerkær, *Fast Noise Variance Estimation*, 1996: a mask that is blind to edges of first and second order. Texture
    raises the estimate, so the flat tiles decide; burnt-out and black ones are left out. NaN where no tile is left.
    """
    import cv2

    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey, -1, mask))
    height, width = (size // _TILE_PX * _TILE_PX for size in grey.shape)
    tiles = [image[:height, :width].reshape(height // _TILE_PX, _TILE_PX, width // _TILE_PX, _TILE_PX).mean((1, 3))
             for image in (response, grey)]  # fmt: skip
    usable = tiles[0][(tiles[1] > 15) & (tiles[1] < 240)]
    return float(np.sqrt(np.pi / 2) / 6 * np.quantile(usable, 0.25)) if usable.size else float("nan")


def _histogram(name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = counted(values.ravel().astype(float), PICTURE[name].edges)
    return counts, counts.sum(keepdims=True)
