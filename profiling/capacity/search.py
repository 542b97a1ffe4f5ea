"""Find the highest rate that holds, by probing: bracket, bisect, confirm. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

RESOLUTION = 1.05  # the search ends where a rate that held and one that did not are this near to each other
STEP_DOWN = 0.9  # after a rate that held did not hold again
MOST_DOUBLINGS = 10
MOST_HALVINGS = 5


class Probe(NamedTuple):
    """One run at one rate, without its warm-up.

    ``rate_hz``: frames per second of each sensor. Latencies are those of ``frames`` fused frames, since due.
    ``dropped``: messages lost on any edge. ``incomplete``: frames fused without one of their inputs, such as labels
    that came after the timeout.
    """

    rate_hz: float
    p50_ms: float
    p99_ms: float
    frames: int
    dropped: int
    incomplete: int
    latency_ms: list[float]

    def holds(self, bound_ms: float) -> bool:
        """Whether every frame came through with all its inputs, and 99 % of them in time."""
        return self.frames > 0 and not self.dropped and not self.incomplete and self.p99_ms <= bound_ms


class Result(NamedTuple):
    """``confirmed``: the two or more runs that held at the highest rate; none where no rate held."""

    probes: list[Probe]
    confirmed: list[Probe]

    @property
    def rate_hz(self) -> float | None:
        return self.confirmed[0].rate_hz if self.confirmed else None


def search(probe: Callable[[float], Probe], start_hz: float, bound_ms: float) -> Result:
    """The highest rate at which two runs, one after the other, hold ``bound_ms``.

    From ``start_hz`` the rate is doubled while it holds, or halved until it does, at most to 1/32 of it; then bisected
    to 5 %. On a noisy machine one good run proves little, so the highest rate that held is run again; where it does not
    hold again, a rate 10 % lower has to hold twice, and so on.
    """
    probes: list[Probe] = []

    def held(rate_hz: float) -> bool:
        probes.append(probe(rate_hz))
        return probes[-1].holds(bound_ms)

    low_hz, high_hz = _bracket(held, start_hz)
    while low_hz is not None and high_hz is not None and high_hz / low_hz > RESOLUTION:
        middle_hz = (low_hz * high_hz) ** 0.5
        low_hz, high_hz = (middle_hz, high_hz) if held(middle_hz) else (low_hz, middle_hz)
    lowest_hz = start_hz / 2**MOST_HALVINGS
    while low_hz is not None:
        runs = [run for run in probes if run.rate_hz == low_hz and run.holds(bound_ms)]
        if len(runs) >= 2:
            return Result(probes, runs)
        if not held(low_hz):
            low_hz = low_hz * STEP_DOWN if low_hz * STEP_DOWN >= lowest_hz else None
    return Result(probes, [])


def _bracket(held: Callable[[float], bool], start_hz: float) -> tuple[float | None, float | None]:
    """The highest rate that held, and a higher one that did not; None where there is none."""
    if held(start_hz):
        low_hz = start_hz
        for _ in range(MOST_DOUBLINGS):
            if not held(2 * low_hz):
                return low_hz, 2 * low_hz
            low_hz *= 2
        return low_hz, None
    high_hz = start_hz
    for _ in range(MOST_HALVINGS):
        if held(high_hz / 2):
            return high_hz / 2, high_hz
        high_hz /= 2
    return None, high_hz
