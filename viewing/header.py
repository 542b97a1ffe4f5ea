"""The line at the top of every picture."""

from __future__ import annotations

import cv2
import numpy as np

from viewing.style import LINE, MUTED, TEXT, WARNING, put_text, shorten, text_width


def draw_header(
    canvas: np.ndarray, rect: tuple[int, int, int, int], unit: float, *, status: str, warning: str, measured: str
) -> None:
    """Name, status and warning from the left, what was measured from the right, and a rule below.

    ``rect``: left, top, width, height. ``unit``: a hundredth of the picture's width, in pixels.
    """
    left, top, width, height = rect
    size, baseline = 0.95 * unit, top + height * 0.68
    x = put_text(canvas, "Rangecast", (left, baseline), 1.25 * unit, TEXT, bold=True)
    x = put_text(canvas, status, (x + 2 * unit, baseline), size, MUTED)
    measured_left = left + width - text_width(measured, size)
    put_text(canvas, measured, (measured_left, baseline), size, MUTED)
    x += round(2 * unit)
    put_text(canvas, shorten(warning, size, measured_left - unit - x), (x, baseline), size, WARNING)
    cv2.line(canvas, (left, top + height), (left + width, top + height), LINE, 1)
