"""Times of several versions of one thing, taken in turns: what else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Times(NamedTuple):
    """How long one version took in each round, in milliseconds."""

    ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        return statistics.median(self.ms)

    @property
    def spread_ms(self) -> tuple[float, float]:
        """The fastest and the slowest round."""
        return min(self.ms), max(self.ms)


def interleave(
    versions: Mapping[str, Callable[[], object]], rounds: int, after: Callable[[], object] = lambda: None
) -> dict[str, Times]:
    """Run each version once a round, in the order given. A first round, in which caches fill, is not counted.

    ``after`` is called after each run, outside the time taken: to show progress, say.
    """
    taken_ms: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(1 + rounds):
        for name, version in versions.items():
            started = time.perf_counter()
            version()
            taken_ms[name].append(1e3 * (time.perf_counter() - started))
            after()
    return {name: Times(tuple(values[1:])) for name, values in taken_ms.items()}
