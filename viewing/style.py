"""The look that all pictures share: colours (BGR), text, dots."""

from __future__ import annotations

import bisect

import cv2
import numpy as np

BACKGROUND = (23, 17, 13)
PANEL = (34, 26, 21)
LINE = (66, 54, 48)
MUTED = (163, 148, 139)
TEXT = (236, 230, 225)
WARNING = (64, 178, 255)
UNLABELLED = (118, 110, 104)

_MIN_BRIGHTNESS = 120
_NEAR_M, _FAR_M = 2.0, 80.0


def palette(class_colors: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Class colours, RGB, as ``[C, 3]`` uint8 BGR that can be told from a dark background.

    Black (by convention: unlabelled) becomes grey; dark colours keep their hue and are brightened.
    """
    bgr = np.array(class_colors, np.float32).reshape(-1, 3)[:, ::-1]
    brightest = bgr.max(axis=1, keepdims=True)
    lifted = np.where(brightest < _MIN_BRIGHTNESS, bgr * (_MIN_BRIGHTNESS / np.maximum(brightest, 1)), bgr)
    return np.where(brightest == 0, np.float32(UNLABELLED), lifted).round().astype(np.uint8)


def range_colors(range_m: np.ndarray) -> np.ndarray:
    """Colour ``[..., 3]`` uint8 BGR of ranges in metres: near is bright, far is dark (viridis, logarithmic 2..80 m).

    Logarithmic, because what matters is relative: a metre at 5 m is a car's width in the image, at 60 m it is nothing.
    """
    clipped = np.clip(np.nan_to_num(range_m, nan=_FAR_M), _NEAR_M, _FAR_M)
    nearness = 1 - np.log(clipped / _NEAR_M) / np.log(_FAR_M / _NEAR_M)
    return _viridis()[(35 + 220 * nearness).astype(np.uint8)]


def _viridis() -> np.ndarray:
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS).reshape(256, 3)


def blank(width: int, height: int, color: tuple[int, int, int]) -> np.ndarray:
    """A picture of one colour, ``[height, width, 3]`` uint8 BGR."""
    canvas = np.empty((height, width, 3), np.uint8)
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), color, cv2.FILLED)  # ten times as fast as np.full
    return canvas


def text_width(text: str, height_px: float) -> int:
    """Width in pixels of ``text`` as :func:`put_text` draws it."""
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _font_scale(height_px), 1)[0][0]


def put_text(
    canvas: np.ndarray,
    text: str,
    origin: tuple[float, float],
    height_px: float,
    color: tuple[int, int, int] = TEXT,
    *,
    bold: bool = False,
) -> int:
    """Draw ASCII text with capitals ``height_px`` high; ``origin``: left end, baseline. Returns its right end."""
    origin = (round(origin[0]), round(origin[1]))
    thickness = 2 if bold else 1
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, _font_scale(height_px), color, thickness, cv2.LINE_AA)
    return origin[0] + text_width(text, height_px)


def shorten(text: str, height_px: float, width_px: float) -> str:
    """``text``, cut with three dots where it is wider than ``width_px``."""
    if text_width(text, height_px) <= width_px:
        return text
    too_long = bisect.bisect_right(range(len(text)), width_px, key=lambda n: text_width(text[:n] + "...", height_px))
    return text[: too_long - 1].rstrip() + "..." if too_long > 0 else ""


def _font_scale(height_px: float) -> float:
    return height_px / 22.0  # Hershey Simplex's capitals are 22 px high at scale 1


def draw_dots(
    canvas: np.ndarray, u: np.ndarray, v: np.ndarray, colors: np.ndarray, *, diameter_px: float, groups: int = 1
) -> None:
    """Draw a dot at each (u, v) into ``canvas`` ``[H, W, 3]``, anti-aliased, later points over earlier ones.

    ``colors``: ``[K, 3]`` uint8. Points outside the canvas are left out. Dots are drawn at twice the size and scaled
    down. Within each of ``groups`` equal parts of the points, in order, the order is kept only roughly.
    """
    H, W = canvas.shape[:2]
    side = max(round(2 * diameter_px), 1)
    offsets = _disc(side)
    pad = side
    stride = 2 * W + 2 * pad
    inside = (u >= -0.5) & (u < W - 0.5) & (v >= -0.5) & (v < H - 0.5)
    x = np.floor(2 * u[inside] + 1.5 - side / 2).astype(np.int32) + pad
    y = np.floor(2 * v[inside] + 1.5 - side / 2).astype(np.int32) + pad
    start = y * stride + x
    bgra = np.full((len(start), 4), 255, np.uint8)
    bgra[:, :3] = colors[inside]
    packed = bgra.view(np.uint32)[:, 0]

    layer = np.zeros((2 * H + 2 * pad) * stride, np.uint32)
    for group in np.array_split(np.arange(len(start)), groups):
        first, color = start[group], packed[group]
        for dy, dx in offsets:
            layer[first + (dy * stride + dx)] = color
    layer = layer.view(np.uint8).reshape(2 * H + 2 * pad, stride, 4)[pad : pad + 2 * H, pad : pad + 2 * W]
    blend(canvas, cv2.resize(layer, (W, H), interpolation=cv2.INTER_AREA))


def blend(canvas: np.ndarray, premultiplied: np.ndarray) -> None:
    """Lay a BGRA layer, its colours already multiplied by its alpha, over ``canvas``."""
    transparency = cv2.bitwise_not(cv2.extractChannel(premultiplied, 3))
    below = cv2.multiply(canvas, cv2.merge([transparency] * 3), scale=1 / 255)
    cv2.add(below, cv2.cvtColor(premultiplied, cv2.COLOR_BGRA2BGR), dst=canvas)


def _disc(side: int) -> list[tuple[int, int]]:
    centre = (side - 1) / 2
    radius = side / 2
    return [
        (dy, dx) for dy in range(side) for dx in range(side) if (dy - centre) ** 2 + (dx - centre) ** 2 <= radius**2
    ]
