"""Latency and throughput of several systems, in turns: a fresh pair of processes for each system in each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from profiling.result import Series
from profiling.transport.driver import Pair
from profiling.transport.systems import System

WARM_UP = 5
CELL_BYTES = 200e6  # sent per size and round, unless that would be too few messages, or more than anybody needs
MIN_COUNT, MAX_COUNT = 20, 200


class Cell(NamedTuple):
    """One system at one size. Milliseconds per message, MB/s per round, and messages lost at full speed."""

    latency_ms: list[list[float]]
    rate_mb_s: list[float]
    sent: int
    lost: int

    def percentile_ms(self, q: float) -> float:
        return float(np.percentile(np.concatenate(self.latency_ms), q))

    @property
    def median_rate_mb_s(self) -> float:
        return float(np.median(self.rate_mb_s))


Found = dict[tuple[str, int], Cell]
"""By system's name and size in bytes."""


def measure(
    systems: Sequence[System],
    sizes_bytes: Sequence[int],
    repeats: int,
    on_turn: Callable[[System, int], object] = lambda system, round_: None,
) -> Found:
    """Measure every system at every size in ``repeats`` rounds; the order of the systems is another in each round.

    Latency is that of one message at a time, from the call that sends an array to the last byte read by the receiver.
    The rate is of bytes read, from the first call to the last byte. Raises :class:`driver.TransportError`.
    """
    cells: Found = {(s.name, size): Cell([], [], 0, 0) for s in systems for size in sizes_bytes}
    for round_ in range(repeats):
        turn = round_ % len(systems)
        for system in [*systems[turn:], *systems[:turn]]:
            on_turn(system, round_)
            with Pair(system) as pair:
                for size in sizes_bytes:
                    cells[system.name, size] = _once(pair, size, cells[system.name, size])
    return cells


def _once(pair: Pair, size_bytes: int, cell: Cell) -> Cell:
    count = int(np.clip(CELL_BYTES / size_bytes, MIN_COUNT, MAX_COUNT))
    sent, read = pair.measure(size_bytes, WARM_UP + count, one_by_one=True)
    latency_ms = [(read[number] - sent[number]) / 1e6 for number in sent][WARM_UP:]
    sent, read = pair.measure(size_bytes, count, one_by_one=False)
    rate_mb_s = len(read) * size_bytes * 1e3 / (max(read.values()) - min(sent.values()))
    return Cell(
        [*cell.latency_ms, latency_ms], [*cell.rate_mb_s, rate_mb_s], cell.sent + count, cell.lost + count - len(read)
    )


def as_series(found: Found) -> list[Series]:
    """The raw samples, for a profile."""
    series = []
    for (system, size), cell in found.items():
        name = f"{system} {size_in_words(size)}"
        series.append(Series(name=f"{name}.latency", unit="ms", better="lower", runs=cell.latency_ms))
        runs = [[rate] for rate in cell.rate_mb_s]
        series.append(Series(name=f"{name}.throughput", unit="MB/s", better="higher", runs=runs))
    return series


def size_in_words(size_bytes: int) -> str:
    """``2 MB``: powers of a thousand."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:g} {name}"
    return f"{size_bytes} B"
