"""What happened lately: how counts have risen, and what times were measured, over the last few seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipeline.account import Timing
from pipeline.live.status import Recent

WINDOW_S = 5.0
LEAST_SPAN_S = 1.0  # a rate over less says little
OVERDUE_NS = 500_000_000  # counts come with heartbeats, five a second; none for so long: nothing has happened
MOST_TIMINGS = 1000


class RecentTimes(NamedTuple):
    """Lately at one node."""

    queue_ms: Recent
    compute_ms: Recent
    latency_ms: Recent


class CountWindow:
    """How named counts have risen over the last ``window_s``."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_ns = round(window_s * 1e9)
        self._samples: deque[tuple[int, Mapping[str, float]]] = deque()

    def add(self, counted_ns: int, counts: Mapping[str, float]) -> None:
        """Take in the counts as they stood at ``counted_ns``; a time that is known already changes nothing."""
        if self._samples and counted_ns <= self._samples[-1][0]:
            return
        self._samples.append((counted_ns, counts))

    def span_s(self, now_ns: int) -> float:
        """The time that the window covers: of its samples, or up to now where no sample comes any more."""
        return (self._slide(now_ns) - self._samples[0][0]) / 1e9 if self._samples else 0.0

    def rise(self, name: str, now_ns: int) -> float:
        """How much one count has risen."""
        self._slide(now_ns)
        return self._samples[-1][1].get(name, 0) - self._samples[0][1].get(name, 0) if self._samples else 0.0

    def per_s(self, name: str, now_ns: int) -> float | None:
        """How much one count rises per second; None where the window covers too little time."""
        span_s = self.span_s(now_ns)
        return self.rise(name, now_ns) / span_s if span_s >= LEAST_SPAN_S else None

    def _slide(self, now_ns: int) -> int:
        """Forget what is before the window, but for the newest such sample: there it begins. Returns its end."""
        if not self._samples:
            return now_ns
        end_ns = max(self._samples[-1][0], now_ns - OVERDUE_NS)
        while len(self._samples) > 1 and self._samples[1][0] <= end_ns - self._window_ns:
            self._samples.popleft()
        return end_ns


class TimingWindow:
    """The timings of the last ``window_s``, the newest :data:`MOST_TIMINGS` at most."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_ns = round(window_s * 1e9)
        self._timings: deque[tuple[int, Timing]] = deque(maxlen=MOST_TIMINGS)

    def add(self, at_ns: int, timing: Timing) -> None:
        """Take in one timing."""
        self._timings.append((at_ns, timing))

    def recent(self, now_ns: int) -> RecentTimes | None:
        """Percentiles of the timings' columns; None where nothing came lately."""
        while self._timings and self._timings[0][0] < now_ns - self._window_ns:
            self._timings.popleft()
        if not self._timings:
            return None
        table_ns = np.array([(timing.queue, timing.compute, timing.latency) for _, timing in self._timings])
        return RecentTimes(*(Recent(p50, p99) for p50, p99 in _percentiles_ms(table_ns).T.tolist()))


def _percentiles_ms(table_ns: np.ndarray) -> np.ndarray:
    """Median and 99th percentile of each column, ``[2, columns]``: the nearest of the values, found without a sort."""
    places = [round(share * (len(table_ns) - 1)) for share in (0.5, 0.99)]
    return (np.partition(table_ns, places, axis=0)[places] / 1e6).round(3)
