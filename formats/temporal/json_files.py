"""What annotations and results have in common: JSON objects of videos, with segments in them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from errors import UserError


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        UserError: no such file, empty, not JSON, or JSON that is no object.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if not text.strip():
        raise UserError(f"{path}: is empty; give a JSON file")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: is a JSON {type(value).__name__}; give an object with an entry per video")
    return value


def number(value: Any, where: str) -> float:
    """A finite number; ``"18.6"`` is one too (THUMOS' annotations are written so). ``where`` begins the error."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"{where} is {value!r}; give a finite number")
    return found


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


def field(entry: Any, name: str, where: str) -> Any:
    """One field of a JSON object. ``where`` begins the error."""
    if not isinstance(entry, dict) or name not in entry:
        raise UserError(f"{where} has no {name!r}; complete it")
    return entry[name]


def entries(value: Any, where: str) -> list[Any]:
    """A JSON array. ``where`` begins the error."""
    if not isinstance(value, list):
        raise UserError(f"{where} is a JSON {type(value).__name__}; give a list")
    return value
