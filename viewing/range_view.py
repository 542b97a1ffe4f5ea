"""The range image as pictures: how far each pixel is, and of which class."""

from __future__ import annotations

import cv2
import numpy as np

from viewing.style import PANEL, blank, range_colors


def range_picture(range_m: np.ndarray) -> np.ndarray:
    """Ranges ``[H, W]`` in metres (negative: empty) as ``[H, W, 3]`` uint8 BGR."""
    return np.where((range_m >= 0)[..., None], range_colors(range_m), np.uint8(PANEL))


def label_picture(
    range_m: np.ndarray, point_pixel: np.ndarray, point_range_m: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """The colour of the point that each pixel of a range image shows, ``[H, W, 3]`` uint8 BGR.

    ``point_pixel`` ``[N]`` is each point's ``row * W + column`` (-1: none), ``point_range_m`` its range and ``colors``
    ``[N, 3]`` its colour. Where several points share a pixel it shows the one whose range the image holds.
    """
    picture = blank(range_m.size, 1, PANEL)[0]
    shown = np.flatnonzero((point_pixel >= 0) & (point_range_m == range_m.reshape(-1)[point_pixel]))
    picture[point_pixel[shown]] = colors[shown]
    return picture.reshape(*range_m.shape, 3)


def strip(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale a picture to ``width`` by ``height`` pixels: averaged where it shrinks, in blocks where it grows."""
    across = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_NEAREST
    down = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_NEAREST
    wide = cv2.resize(picture, (width, picture.shape[0]), interpolation=across)
    return cv2.resize(wide, (width, height), interpolation=down)
