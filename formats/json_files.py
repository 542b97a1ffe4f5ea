"""JSON files that people bring: their parts, with one line for each that is not as it should be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from errors import UserError


def read_file(path: Path) -> bytes:
    """What is in a file.

    Raises:
        UserError: no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def read_object(path: Path, of: str) -> dict[str, Any]:
    """The JSON object in a file; ``of`` says what it should hold, such as ``an entry per video``.

    Raises:
        UserError: no such file, empty, not JSON, or JSON that is no object.
    """
    text = read_file(path)
    if not text.strip():
        raise UserError(f"{path}: is empty; give a JSON file")
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: is a JSON {type(value).__name__}; give an object with {of}")
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
