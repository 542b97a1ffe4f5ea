"""The scan from above: points, range rings, the footprints of objects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from viewing.style import LINE, MUTED, PANEL, TEXT, blank, draw_dots, put_text, text_width

_GROUND_Z_M = -1.2
_RING_STEP_M = 10
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Footprint:
    """What an object covers on the ground, in metres of the LiDAR's frame; ``color`` BGR."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    text: str
    color: tuple[int, int, int]


@dataclass(frozen=True)
class _View:
    """Metres to pixels. Forward is up in a tall picture and to the right in a wide one."""

    width: int
    height: int
    pixels_per_m: float

    def __call__(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple:
        if self.height >= self.width:
            return self.width / 2 - y * self.pixels_per_m, self.height * 0.68 - x * self.pixels_per_m
        return self.width * 0.40 + x * self.pixels_per_m, self.height / 2 - y * self.pixels_per_m


def birds_eye(
    points: np.ndarray,
    colors: np.ndarray,
    width: int,
    height: int,
    *,
    footprints: tuple[Footprint, ...] = (),
    half_width_m: float = 25.0,
) -> np.ndarray:
    """Draw points ``[N, ≥3]`` (x forward, y left, metres) with ``colors`` ``[N, 3]`` BGR seen from above.

    ``half_width_m`` to either side of the LiDAR fit in the picture's shorter side; one scale holds for both axes.
    Rings are 10 m apart. What stands is drawn over the ground. Returns ``[height, width, 3]`` uint8.
    """
    view = _View(width, height, min(width, height) / (2 * half_width_m))
    canvas = blank(width, height, PANEL)
    _draw_rings(canvas, view)
    finite = np.isfinite(points[:, 0] + points[:, 1] + points[:, 2])
    stands = points[:, 2] > _GROUND_Z_M
    order = np.concatenate([np.flatnonzero(finite & ~stands), np.flatnonzero(finite & stands)])
    u, v = view(points[order, 0], points[order, 1])
    draw_dots(canvas, u, v, colors[order], diameter_px=max(width / 800, height / 800, 1.0), groups=2)
    _label_rings(canvas, view)
    for footprint in footprints:
        _draw_footprint(canvas, view, footprint)
    _draw_vehicle(canvas, view)
    return canvas


def _draw_rings(canvas: np.ndarray, view: _View) -> None:
    u, v = view(0, 0)
    for radius_m in range(_RING_STEP_M, _farthest_m(view), _RING_STEP_M):
        cv2.circle(
            canvas, _subpixel(u, v), round(radius_m * view.pixels_per_m * 2**_SUBPIXEL_BITS), LINE, 1, cv2.LINE_AA,
            _SUBPIXEL_BITS,
        )  # fmt: skip


def _label_rings(canvas: np.ndarray, view: _View) -> None:
    size = max(9.0, min(view.width, view.height) / 55)
    for radius_m in range(_RING_STEP_M, _farthest_m(view), _RING_STEP_M):
        text = f"{radius_m} m"
        u, v = view(radius_m, 0)
        left, baseline = round(u - text_width(text, size) / 2), round(v + size / 2)
        right, top = left + text_width(text, size), baseline - round(size)
        if left < 4 or top < 4 or right > view.width - 4 or baseline > view.height - 4:
            continue
        cell = canvas[top - 3 : baseline + 4, left - 4 : right + 5]
        cell[:] = cv2.convertScaleAbs(cell, alpha=0.35)  # text stays legible over points
        put_text(canvas, text, (left, baseline), size, MUTED)


def _farthest_m(view: _View) -> int:
    return int(max(view.width, view.height) / view.pixels_per_m)


def _draw_footprint(canvas: np.ndarray, view: _View, footprint: Footprint) -> None:
    corner, opposite = view(footprint.x_min, footprint.y_min), view(footprint.x_max, footprint.y_max)
    cv2.rectangle(canvas, _subpixel(*corner), _subpixel(*opposite), footprint.color, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    size = max(9.0, min(view.width, view.height) / 55)
    beside = max(corner[0], opposite[0]) + size / 2
    left = min(beside, view.width - size / 2 - text_width(footprint.text, size))
    put_text(canvas, footprint.text, (left, (corner[1] + opposite[1]) / 2 + size / 2), size, TEXT)


def _draw_vehicle(canvas: np.ndarray, view: _View) -> None:
    """An arrow head at the LiDAR, 3 m long, pointing forward."""
    outline = [view(x, y) for x, y in ((1.8, 0.0), (-1.2, 1.1), (-0.6, 0.0), (-1.2, -1.1))]
    corners = np.array([_subpixel(*c) for c in outline], np.int32)
    cv2.fillPoly(canvas, [corners], TEXT, cv2.LINE_AA, _SUBPIXEL_BITS)


def _subpixel(u: float, v: float) -> tuple[int, int]:
    return round(u * 2**_SUBPIXEL_BITS), round(v * 2**_SUBPIXEL_BITS)
