"""The camera image with the points that it sees, and boxes around objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from viewing.style import PANEL, draw_dots, put_text, text_width

_DIMMED = 0.62
_GROUPS = 8


@dataclass(frozen=True)
class Box:
    """A labelled box x1 y1 x2 y2 in pixels of the original image; ``color`` BGR; ``order_m``: near boxes lie on top."""

    box: tuple[float, float, float, float]
    text: str
    color: tuple[int, int, int]
    order_m: float


def camera_view(
    image: np.ndarray,
    width: int,
    height: int,
    *,
    pixels: np.ndarray | None = None,
    range_m: np.ndarray | None = None,
    colors: np.ndarray | None = None,
    boxes: tuple[Box, ...] = (),
) -> np.ndarray:
    """Draw ``image`` ``[H, W, 3]`` at ``width`` by ``height`` pixels, darkened, with coloured points and boxes on it.

    ``pixels`` ``[N, 2]`` in the original image (NaN: not drawn), with ``range_m`` ``[N]``, nearer ones on top, and
    ``colors`` ``[N, 3]`` BGR. All three or none. Give a size of the image's own aspect ratio.
    """
    scale_x, scale_y = width / image.shape[1], height / image.shape[0]
    shrinks = scale_x < 1
    view = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if pixels is not None:
        view = cv2.convertScaleAbs(view, alpha=_DIMMED)
        drawn = np.flatnonzero(np.isfinite(pixels[:, 0]))
        drawn = drawn[np.argsort(-range_m[drawn])]
        u = (pixels[drawn, 0] + 0.5) * scale_x - 0.5
        v = (pixels[drawn, 1] + 0.5) * scale_y - 0.5
        draw_dots(view, u, v, colors[drawn], diameter_px=max(width / 430, 1.0), groups=_GROUPS)
    for box in sorted(boxes, key=lambda b: -b.order_m):
        _draw_box(view, box, scale_x, scale_y)
    return view


def _draw_box(view: np.ndarray, box: Box, scale_x: float, scale_y: float) -> None:
    x1, y1, x2, y2 = (round(c * s) for c, s in zip(box.box, (scale_x, scale_y) * 2, strict=True))
    cv2.rectangle(view, (x1, y1), (x2, y2), PANEL, 3, cv2.LINE_AA)
    cv2.rectangle(view, (x1, y1), (x2, y2), box.color, 1, cv2.LINE_AA)
    size = max(9.0, view.shape[1] / 100)
    pad = round(size * 0.45)
    width, height = text_width(box.text, size) + 2 * pad, round(size) + 2 * pad
    left = min(max(x1, 0), view.shape[1] - width)
    top = y1 - height if y1 >= height else max(y1, 0)
    cv2.rectangle(view, (left, top), (left + width, top + height), box.color, cv2.FILLED)
    put_text(view, box.text, (left + pad, top + height - pad), size, _readable_on(box.color))


def _readable_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    blue, green, red = color
    return (20, 16, 12) if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else (255, 255, 255)
