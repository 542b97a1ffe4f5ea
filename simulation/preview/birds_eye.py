"""A frame from above: points by class, boxes with velocities, the ego vehicle's path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from simulation.preview.boxes import corners
from viewing.style import LINE, MUTED, PANEL, TEXT, blank, draw_dots, put_text

_BEHIND = 0.32  # share of the picture
_GROUND_Z_M = -1.2
_ARROW_S = 1.0  # an arrow ends where the body will be then
_SHIFT = 4  # sub-pixel bits


def draw(
    width: int,
    height: int,
    points: np.ndarray,
    colors: np.ndarray,
    objects: list[dict[str, Any]],
    kind_colors: Mapping[str, tuple[int, int, int]],
    path: np.ndarray,
    *,
    pixels_per_m: float,
) -> np.ndarray:
    """A picture uint8 [height,width,3] BGR; forward is up where it is tall and right where it is wide."""

    def pixels(xy: np.ndarray) -> np.ndarray:
        if height >= width:
            return np.stack([width / 2 - xy[:, 1] * pixels_per_m, height * (1 - _BEHIND) - xy[:, 0] * pixels_per_m], 1)
        return np.stack([width * _BEHIND + xy[:, 0] * pixels_per_m, height / 2 - xy[:, 1] * pixels_per_m], 1)

    canvas = blank(width, height, PANEL)
    centre = tuple(_fixed(pixels(np.zeros((1, 2))))[0].tolist())
    for radius_m in range(10, 100, 10):
        cv2.circle(canvas, centre, round(radius_m * pixels_per_m * 2**_SHIFT), LINE, 1, cv2.LINE_AA, _SHIFT)
        put_text(canvas, f"{radius_m} m", pixels(np.array([[radius_m, 0.0]]))[0] + (4, -3), 9, MUTED)
    order = np.argsort(points[:, 2] > _GROUND_Z_M, kind="stable")  # what stands is drawn over the ground
    u, v = pixels(points[order, :2]).T
    draw_dots(canvas, u, v, colors[order], diameter_px=1.0, groups=2)
    _line(canvas, pixels(path[:, :2]), TEXT, 1)
    for thing in objects:
        color = kind_colors[thing["kind"]]
        outline = corners(thing["box"])[:4]
        _line(canvas, pixels(outline[[0, 1, 2, 3, 0], :2]), color, 1)
        front, middle = outline[[0, 3], :2].mean(0), outline[:, :2].mean(0)
        _line(canvas, pixels(np.stack([middle, front])), color, 1)
        if thing["speed_mps"] > 0.2:
            tip = front + _ARROW_S * np.array(thing["velocity_mps"][:2])
            start, end = np.round(pixels(np.stack([front, tip]))).astype(int).tolist()
            cv2.arrowedLine(canvas, tuple(start), tuple(end), TEXT, 1, cv2.LINE_AA, tipLength=0.25)
    vehicle = np.array([(1.8, 0.0), (-1.2, 1.1), (-0.6, 0.0), (-1.2, -1.1)])
    cv2.fillPoly(canvas, [_fixed(pixels(vehicle))], TEXT, cv2.LINE_AA, _SHIFT)
    return canvas


def _line(canvas: np.ndarray, pixels: np.ndarray, color: tuple[int, int, int], thickness: int) -> None:
    cv2.polylines(canvas, [_fixed(pixels)], False, color, thickness, cv2.LINE_AA, _SHIFT)


def _fixed(pixels: np.ndarray) -> np.ndarray:
    return np.round(np.clip(pixels, -1e5, 1e5) * 2**_SHIFT).astype(np.int32)
