"""Snippet features of one video: ``.npy`` or ``.csv``, as BSN, BMN and their successors pass them on.

``.csv``: a row per snippet, most with a row of column names first (``f0,f1,…`` or ``0,1,…``). ``.npy``: either way
round.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from errors import UserError

SUFFIXES = (".npy", ".csv")


def feature_file(folder: Path, video: str) -> Path:
    """``folder/video.npy`` or ``.csv``.

    Raises:
        UserError: neither is there, or both are.
    """
    there = [path for suffix in SUFFIXES if (path := folder / f"{video}{suffix}").is_file()]
    if not there:
        raise UserError(f"{folder}: no features of video {video!r} ({video}.npy or {video}.csv); add them")
    if len(there) > 1:
        raise UserError(f"{folder}: both {there[0].name} and {there[1].name}; remove one of them")
    return there[0]


def read_features(path: Path, dimension: int) -> np.ndarray:
    """``[dimension, L]`` float32, L snippets in the order of time.

    Which axis is time is told by the other's length; where both are ``dimension`` long, rows are snippets.

    Raises:
        UserError: no such file or not one of the two kinds; no snippets; neither axis is ``dimension`` long; a value
            that is not finite in float32, with its place.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: not a feature file this can read; give .npy or .csv")
    try:
        values = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _read_csv(path)
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as features: {' '.join(str(error).split())}") from error
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        what = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        raise UserError(f"{path}: holds {what}; features are a table of numbers, snippets by {dimension}")
    if not values.size:
        raise UserError(f"{path}: has no snippets; the video is shorter than one, or the file is damaged")
    if dimension not in values.shape:
        rows, columns = values.shape
        raise UserError(f"{path}: {rows} x {columns} values; neither side is the model's feature dimension {dimension}")
    by_snippet = values if values.shape[1] == dimension else values.T
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(by_snippet.T, np.float32)
    if not np.isfinite(features).all():
        place, snippet = np.argwhere(~np.isfinite(features))[0]
        found = features[place, snippet]
        raise UserError(f"{path}: value {place} of snippet {snippet} is {found}; features must be finite numbers")
    return features


def _read_csv(path: Path) -> np.ndarray:
    """[rows, columns] float64, without the row of names. NaN is read as such."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines and _is_names(lines[0].split(",")):
        del lines[0]
    return np.loadtxt(lines, delimiter=",", ndmin=2) if any(lines) else np.empty((0, 0))


def _is_names(cells: list[str]) -> bool:
    """Whether a first row is names: nothing but words, or the columns numbered from 0 (two or more of them)."""
    numbers = [_number(cell) for cell in cells]
    return all(n is None for n in numbers) or (len(numbers) > 1 and numbers == list(range(len(numbers))))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
