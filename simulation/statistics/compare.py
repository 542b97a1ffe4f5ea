"""The comparison itself: every statistic of the simulated and the real drives, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import UserError
from simulation.statistics.quantities import QUANTITIES, Tally
from simulation.statistics.recordings import Measured, measure, open_recording, pool, values


@dataclass(frozen=True)
class Row:
    """One statistic side by side.

    ``real`` and ``simulated`` float64 [B] ([1] for a number), NaN in bins without data, None without any;
    ``difference``: how far apart they are; ``spread``: how far apart two real drives are on average, the yardstick, NaN
    where fewer than two have data. Both are in the measure of :meth:`Quantity.difference` and never negative.
    """

    name: str
    real: np.ndarray | None
    simulated: np.ndarray | None
    difference: float
    spread: float


@dataclass(frozen=True)
class Report:
    """What was compared, and one row for every statistic that either side has."""

    simulated: tuple[Measured, ...]
    real: tuple[Measured, ...]
    rows: dict[str, Row]


def compare(simulated: list[Path], real: list[Path], *, at_most: int = 20) -> Report:
    """Compare simulated drives with real recordings, at most ``at_most`` frames of each, evenly spread.

    Each is the folder of a SemanticKITTI sequence or of a KITTI raw drive. What a recording lacks (labels, pictures) is
    left out of the statistics that need it. Every recording has the same weight, however long it is.

    Raises:
        UserError: no recordings, one given twice, or a folder or file that cannot be read; the line names it.
    """
    if not simulated or not real:
        raise UserError("nothing to compare: give one simulated drive and one real recording, or more")
    if at_most < 1:
        raise UserError(f"--frames {at_most}: must be 1 or more")
    folders = [path.resolve() for path in (*simulated, *real)]
    if twice := next((path for k, path in enumerate(folders) if path in folders[:k]), None):
        raise UserError(f"{twice}: given twice; name each recording once")
    opened = [open_recording(path, at_most) for path in (*simulated, *real)]  # all mistakes before any work
    measured = [measure(found) for found in opened]
    ours, theirs = tuple(measured[: len(simulated)]), tuple(measured[len(simulated) :])
    pooled = pool(ours), pool(theirs)
    rows = (_row(name, *pooled, theirs) for name in QUANTITIES)
    return Report(ours, theirs, {row.name: row for row in rows if not (row.real is None and row.simulated is None)})


def _row(name: str, simulated: Tally, real: Tally, recordings: tuple[Measured, ...]) -> Row:
    a, b = values(simulated, name), values(real, name)
    difference = QUANTITIES[name].difference(a, b) if a is not None and b is not None else float("nan")
    return Row(name, b, a, difference, _spread(name, recordings))


def _spread(name: str, recordings: tuple[Measured, ...]) -> float:
    """The mean difference between any two of ``recordings``."""
    found = [value for one in recordings if (value := one.value(name)) is not None]
    apart = [QUANTITIES[name].difference(a, b) for k, a in enumerate(found) for b in found[:k]]
    return float(np.mean(apart)) if apart else float("nan")
