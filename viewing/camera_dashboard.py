"""One picture of a video without LiDAR: the camera, objects in it, and its actions as a time line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from viewing.camera_view import Box, camera_view
from viewing.header import draw_header
from viewing.style import BACKGROUND, MUTED, blank, put_text
from viewing.timeline import Stretch, caption, timeline

_TALLEST = 0.75  # of the picture's width


@dataclass(frozen=True)
class Layout:
    """Where the panels are, each as left, top, width, height; ``unit``: a hundredth of the width. ``timeline`` None:
    there is none."""

    width: int
    height: int
    unit: float
    header: tuple[int, int, int, int]
    camera: tuple[int, int, int, int]
    timeline: tuple[int, int, int, int] | None


def layout(width: int, camera_aspect: float, *, timeline: bool = True) -> Layout:
    """Panels below each other in a picture as high as it takes; a camera that is upright stands in the middle."""
    width -= width % 2
    unit = width / 100
    margin, header, gap, line = round(unit), round(3.1 * unit), round(1.9 * unit), round(12.5 * unit)
    inner = width - 2 * margin
    camera_height = round(min(inner / camera_aspect, _TALLEST * width))
    camera_width = min(round(camera_height * camera_aspect), inner)
    top = header + margin
    line_top = top + camera_height + gap
    height = line_top + line + margin if timeline else top + camera_height + margin
    return Layout(
        width,
        height + height % 2,
        unit,
        (margin, 0, inner, header),
        ((width - camera_width) // 2, top, camera_width, camera_height),
        (margin, line_top, inner, line) if timeline else None,
    )


def camera_dashboard(
    image: np.ndarray,
    plan: Layout,
    stretches: tuple[Stretch, ...],
    now_s: float,
    *,
    span_s: float,
    boxes: tuple[Box, ...] = (),
    status: str = "",
    warning: str = "",
    measured: str = "",
) -> np.ndarray:
    """Draw ``image`` [H, W, 3] uint8 BGR, ``boxes`` on it, and what happened in the ``span_s`` seconds before
    ``now_s``.

    Returns:
        [height, width, 3] uint8 BGR, both even.
    """
    canvas = blank(plan.width, plan.height, BACKGROUND)
    draw_header(canvas, plan.header, plan.unit, status=status, warning=warning, measured=measured)
    left, top, width, height = plan.camera
    canvas[top : top + height, left : left + width] = camera_view(image, width, height, boxes=boxes)
    if plan.timeline is None:
        return canvas
    left, top, width, height = plan.timeline
    put_text(canvas, caption(span_s), (left, top - 0.5 * plan.unit), 0.72 * plan.unit, MUTED)
    line = timeline(stretches, now_s, width, height, span_s=span_s, unit=plan.unit)
    canvas[top : top + height, left : left + width] = line
    return canvas
