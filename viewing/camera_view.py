"""The camera image with the points that it sees, and boxes around objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from viewing.style import PANEL, draw_dots, put_text, text_width

_DIMMED = 0.62
_GROUPS = 8

Rect = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Box:
    """A labelled box x1 y1 x2 y2 in pixels of the original image; ``color`` BGR; ``order``: of two that
    overlap the lower lies on top, such as the nearer in metres."""

    box: tuple[float, float, float, float]
    text: str
    color: tuple[int, int, int]
    order: float


def detected(
    boxes: np.ndarray, scores: np.ndarray, names: Sequence[str], colors: Sequence[tuple[int, int, int]]
) -> tuple[Box, ...]:
    """``boxes`` [K, 4] with the name and score of each as its text; the surest lie on top."""
    return tuple(
        Box(tuple(box), f"{name} {score:.2f}", color, order=-score)
        for box, score, name, color in zip(boxes.tolist(), scores.tolist(), names, colors, strict=True)
    )


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
    _draw_boxes(view, boxes, scale_x, scale_y)
    return view


def _draw_boxes(view: np.ndarray, boxes: Sequence[Box], scale_x: float, scale_y: float) -> None:
    """Boxes of low order over those of high order, and all texts over all boxes: the lowest chooses its place first."""
    last_first = sorted(boxes, key=lambda box: -box.order)
    corners = [[round(c * s) for c, s in zip(box.box, (scale_x, scale_y) * 2, strict=True)] for box in last_first]
    for box, (x1, y1, x2, y2) in zip(last_first, corners, strict=True):
        cv2.rectangle(view, (x1, y1), (x2, y2), PANEL, 3, cv2.LINE_AA)
        cv2.rectangle(view, (x1, y1), (x2, y2), box.color, 1, cv2.LINE_AA)
    size = max(9.0, view.shape[1] / 100)
    pad = round(size * 0.45)
    taken: list[Rect] = []
    for box, edges in reversed(list(zip(last_first, corners, strict=True))):
        width, height = text_width(box.text, size) + 2 * pad, round(size) + 2 * pad
        left, top = place = _place(view, edges, width, height, taken)
        taken.append((left, top, left + width, top + height))
        cv2.rectangle(view, place, (left + width, top + height), box.color, cv2.FILLED)
        put_text(view, box.text, (left + pad, top + height - pad), size, _readable_on(box.color))


def _place(view: np.ndarray, edges: Sequence[int], width: int, height: int, taken: Sequence[Rect]) -> tuple[int, int]:
    """Left and top of a text at its box: above it, inside at the top, below it or inside at the bottom, at its left or
    right end; the first of these that covers the least of the texts that are there."""
    x1, y1, x2, y2 = edges
    places = [
        (min(max(left, 0), max(view.shape[1] - width, 0)), min(max(top, 0), max(view.shape[0] - height, 0)))
        for top in (y1 - height, y1, y2, y2 - height)
        for left in (x1, x2 - width)
    ]
    return min(places, key=lambda at: sum(_shared((*at, at[0] + width, at[1] + height), each) for each in taken))


def _shared(a: Rect, b: Rect) -> int:
    """Pixels that two rectangles share."""
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def _readable_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    blue, green, red = color
    return (20, 16, 12) if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else (255, 255, 255)
