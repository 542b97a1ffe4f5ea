"""Times of several versions of one thing, taken in turns: what else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


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
    versions: Mapping[str, Callable[[Input], Output]],
    inputs: Sequence[Input],
    done: Callable[[str, int, Output], object] = lambda name, round_, output: None,
) -> dict[str, Times]:
    """Round i runs each version once on ``inputs[i]``, in the order given. Round 0 fills caches: its times are dropped.

    ``done(name, i, output)`` is called after each run, outside the time taken.
    """
    taken_ms: dict[str, list[float]] = {name: [] for name in versions}
    for i, given in enumerate(inputs):
        for name, version in versions.items():
            started = time.perf_counter()
            output = version(given)
            taken_ms[name].append(1e3 * (time.perf_counter() - started))
            done(name, i, output)
    return {name: Times(tuple(values[1:])) for name, values in taken_ms.items()}
