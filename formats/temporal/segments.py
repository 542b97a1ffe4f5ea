"""Segments of videos in JSON files: annotations, results."""

from __future__ import annotations

from typing import Any

import numpy as np

from errors import UserError
from formats.json_files import number

PER_VIDEO = "an entry per video"
"""What the objects in such files hold."""


def segment(value: Any, where: str) -> tuple[float, float]:
    """Start and end in seconds; they may be equal (ActivityNet has such). ``where`` begins the error."""
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f"{where}: segment {value!r}; give [start, end] in seconds")
    start_s, end_s = number(value[0], f"{where}: its start"), number(value[1], f"{where}: its end")
    if end_s < start_s:
        raise UserError(f"{where}: ends at {end_s:g} s, before it starts at {start_s:g} s; correct its segment")
    return start_s, end_s


def segments_array(segments: list[tuple[float, float]]) -> np.ndarray:
    """``[N, 2]`` float64, for N = 0 too."""
    return np.array(segments, np.float64).reshape(-1, 2)
