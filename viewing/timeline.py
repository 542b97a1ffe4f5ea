"""The last while as a line that scrolls: when something happened, how sure that is, and whether it may still change."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from viewing.style import LINE, MUTED, PANEL, TEXT, blank, put_text, text_width

ACTION = (213, 193, 84)
_DIMMEST = 0.3
_HATCH_PX = 9
_RULER = (5, 10, 15, 30, 60, 120, 300, 600)  # seconds between two lines, the first that leaves them room


@dataclass(frozen=True)
class Stretch:
    """Something that happens from ``start_s`` to ``end_s``, with a ``score`` of 0..1. ``final``: it will not change."""

    start_s: float
    end_s: float
    score: float
    final: bool


def timeline(
    stretches: tuple[Stretch, ...], now_s: float, width: int, height: int, *, span_s: float, unit: float
) -> np.ndarray:
    """Draw the ``span_s`` seconds up to now, which is a line near the right edge.

    A stretch is a bar, the brighter the higher its score, which is written in it where there is room: filled where it
    is final, hatched where it may still change. The best lie at the top; bars that overlap lie below each other, and
    those that find no room are left out, their number told.

    Args:
        stretches, now_s: in seconds of the video, from its first frame.
        unit: a hundredth of the whole picture's width, in pixels.

    Returns:
        [height, width, 3] uint8 BGR.
    """
    canvas = blank(width, height, PANEL)
    ruler_height, now_x = round(1.8 * unit), width - round(3.4 * unit)
    axis = _Axis(now_s, now_x, now_x / span_s, height - ruler_height)
    row, gap = round(1.7 * unit), max(round(0.3 * unit), 2)
    rows = max((axis.bottom - gap) // (row + gap), 1)
    placed, left_out = in_rows([s for s in stretches if now_s - span_s < s.end_s and s.start_s < now_s], rows)
    _draw_ruler(canvas, axis, unit, f"and {left_out} more" if left_out else "")
    for stretch, place in placed:
        _draw_bar(canvas, axis, stretch, gap + place * (row + gap), row, 0.75 * unit)
    cv2.line(canvas, (now_x, 0), (now_x, axis.bottom), TEXT, max(round(unit / 8), 1))
    return canvas


def caption(span_s: float) -> str:
    """What the time line shows, in words."""
    return f"Actions of the last {span_s:g} s, with their scores: filled is final, hatched may still change"


def in_rows(stretches: list[Stretch], rows: int) -> tuple[list[tuple[Stretch, int]], int]:
    """The row of each stretch, the best first and as high up as those before it leave room; how many found none."""
    taken: list[list[Stretch]] = [[] for _ in range(rows)]
    placed = []
    for stretch in sorted(stretches, key=lambda s: (-s.score, s.start_s)):
        for place, others in enumerate(taken):
            if all(stretch.end_s <= other.start_s or other.end_s <= stretch.start_s for other in others):
                others.append(stretch)
                placed.append((stretch, place))
                break
    return placed, len(stretches) - len(placed)


@dataclass(frozen=True)
class _Axis:
    """Seconds to pixels; ``bottom``: where the bars end and the ruler's figures begin."""

    now_s: float
    now_x: int
    pixels_per_s: float
    bottom: int

    def x(self, time_s: float) -> int:
        return round(self.now_x + (time_s - self.now_s) * self.pixels_per_s)


def _draw_ruler(canvas: np.ndarray, axis: _Axis, unit: float, note: str) -> None:
    """Lines at round times of the video with their figures, where now is, and a note at the left."""
    size, baseline = 0.75 * unit, axis.bottom + 1.25 * unit
    step_s = next((step for step in _RULER if step * axis.pixels_per_s > 7 * unit), _RULER[-1])
    free_from = put_text(canvas, note, (0.8 * unit, baseline), size, MUTED) + unit if note else 0
    now_left = axis.now_x - text_width("now", size) // 2
    put_text(canvas, "now", (now_left, baseline), size, TEXT)
    first_s = max(axis.now_s - axis.now_x / axis.pixels_per_s, 0)
    for number in range(math.ceil(first_s / step_s), int(axis.now_s // step_s) + 1):
        x, label = axis.x(number * step_s), f"{number * step_s // 60}:{number * step_s % 60:02d}"
        cv2.line(canvas, (x, 0), (x, axis.bottom), LINE, 1)
        left = x - text_width(label, size) // 2
        if free_from <= left and left + text_width(label, size) < now_left - unit:
            put_text(canvas, label, (left, baseline), size, MUTED)


def _draw_bar(canvas: np.ndarray, axis: _Axis, stretch: Stretch, top: int, height: int, size: float) -> None:
    begin, left = axis.x(stretch.start_s), max(axis.x(stretch.start_s), 0)
    bar = canvas[top : top + height, left : max(min(axis.x(stretch.end_s), axis.now_x), left + 2)]
    strength = _DIMMEST + (1 - _DIMMEST) * min(max(stretch.score, 0.0), 1.0)
    color = _mixed(ACTION, strength)
    if stretch.final:
        bar[:] = color
    else:
        bar[:] = _mixed(color, 0.25)
        for x in range(-height - (left - begin) % _HATCH_PX, bar.shape[1], _HATCH_PX):  # moves with the bar
            cv2.line(bar, (x, height), (x + height, 0), color, 1, cv2.LINE_AA)
        cv2.rectangle(bar, (0, 0), (bar.shape[1] - 1, height - 1), color, 1)
    label, pad = f"{stretch.score:.2f}", round(0.4 * size)
    if bar.shape[1] < (wide := text_width(label, size) + 4 * pad):
        return
    if not stretch.final:
        bar[1:-1, pad : wide - pad] = _mixed(color, 0.25)  # figures are not hatched
    dark = stretch.final and strength > 0.6
    put_text(bar, label, (2 * pad, (height + size) / 2), size, (20, 16, 12) if dark else TEXT)


def _mixed(color: tuple[int, int, int], strength: float) -> tuple[int, int, int]:
    """``color`` laid over the panel."""
    blue, green, red = (round(p + (c - p) * strength) for c, p in zip(color, PANEL, strict=True))
    return blue, green, red
