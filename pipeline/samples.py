"""What the account remembers of a run of any length, in bounded memory."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left

import numpy as np

from pipeline.account import Timing
from pipeline.live.status import Histogram

COLUMNS = ("seq", "queue", "transport", "compute", "latency", "path_compute")


class TimingSample:
    """Up to ``capacity`` timings, each of all that were added with the same chance (Vitter 1985, algorithm R)."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._count = 0
        self._values = array("q")
        self._random = random.Random(0)

    def add(self, timing: Timing) -> None:
        """Take in one timing."""
        row = [getattr(timing, name) for name in COLUMNS]
        self._count += 1
        if self._count <= self._capacity:
            self._values.extend(row)
            return
        place = self._random.randrange(self._count)
        if place < self._capacity:
            self._values[place * len(COLUMNS) : (place + 1) * len(COLUMNS)] = array("q", row)

    def columns(self) -> dict[str, np.ndarray]:
        """The sample by column, each ``[n]`` int64."""
        table = np.frombuffer(self._values, np.int64).reshape(-1, len(COLUMNS)) if self._values else np.empty((0, 6))
        return dict(zip(COLUMNS, table.T, strict=True))


class LatencyCounts:
    """How many latencies fell between which bounds."""

    UPPER_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

    def __init__(self) -> None:
        self._counts = [0] * (len(self.UPPER_S) + 1)
        self._sum_ns = 0

    def add(self, latency_ns: int) -> None:
        """Take in one latency."""
        self._counts[bisect_left(self.UPPER_S, latency_ns / 1e9)] += 1
        self._sum_ns += latency_ns

    def histogram(self) -> Histogram:
        """As it stands."""
        return Histogram(self.UPPER_S, tuple(self._counts), self._sum_ns / 1e9)


class SeqSet:
    """A set of sequence numbers that mostly rise: kept as ranges."""

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []  # [first, last], rising, apart

    def add(self, seq: int) -> None:
        """Take in one number."""
        index = len(self._ranges)
        while index and self._ranges[index - 1][0] > seq:
            index -= 1
        before = self._ranges[index - 1] if index else None
        after = self._ranges[index] if index < len(self._ranges) else None
        if before is not None and seq <= before[1]:
            return
        joins_before = before is not None and seq == before[1] + 1
        joins_after = after is not None and seq == after[0] - 1
        if joins_before and joins_after:
            assert before is not None
            assert after is not None
            before[1] = after[1]
            del self._ranges[index]
        elif joins_before:
            assert before is not None
            before[1] = seq
        elif joins_after:
            assert after is not None
            after[0] = seq
        else:
            self._ranges.insert(index, [seq, seq])

    @property
    def last(self) -> int:
        """The highest number; -1 where there is none."""
        return self._ranges[-1][1] if self._ranges else -1

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)

    def gaps(self, end: int) -> list[int]:
        """The numbers from the first one to ``end`` that are not in the set."""
        if not self._ranges:
            return []
        starts = [last + 1 for _, last in self._ranges]
        stops = [first for first, _ in self._ranges[1:]] + [end + 1]
        return [seq for start, stop in zip(starts, stops, strict=True) for seq in range(start, min(stop, end + 1))]
