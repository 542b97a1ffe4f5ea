"""What limits a graph's rate, and what would limit it next: computed from what each node and each core had to do.

A node works on one message at a time, so it cannot make more than one frame in its busy time per frame; all nodes
together cannot use more cores than there are. Whichever of these rates is lowest is the limit; without it, the next is.
The figures hold on this machine as loaded as it was: with fewer processes beside it a node computes faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from profiling.pipeline.figures import RunFigures

SATURATED = 0.9  # of the cores, or of a node's time
DISTURBED = 0.2  # cores


class Limit(NamedTuple):
    """``rate_hz``: frames/s that it allows; ``node`` None: the processor."""

    node: str | None
    rate_hz: float


def limits(figures: RunFigures, cores: int, without: str | None = None) -> list[Limit]:
    """Every limit, the lowest first; ``without``: as if this node took no time."""
    busy = {node: ms for node, ms in figures.busy_ms_per_frame.items() if node != without and ms > 0}
    found = [Limit(node, 1e3 / ms) for node, ms in busy.items()]
    cpu_ms = sum(figures.cpu_ms_per_frame.values()) - (_cpu_of(figures, without) if without else 0)
    if cpu_ms > 0:
        found.append(Limit(None, 1e3 * cores / cpu_ms))
    return sorted(found, key=lambda limit: limit.rate_hz)


def in_words(figures: RunFigures, cores: int) -> str:
    """One paragraph."""
    if not figures.rate_hz or not figures.busy_ms_per_frame:
        return "Too few frames came out to say what limits the rate."
    used = sum(figures.cpu_ms_per_frame.values()) * figures.rate_hz / 1e3
    busiest = max(figures.busy_ms_per_frame, key=figures.busy_ms_per_frame.__getitem__)
    share = figures.busy_ms_per_frame[busiest] * figures.rate_hz / 1e3
    parts = [_pace(figures)]
    if figures.input_hz is not None and not figures.dropped and figures.rate_hz > 0.95 * figures.input_hz:
        parts.append(f"The graph keeps up: {busiest} is the busiest, {share:.0%} of the time.")
    elif used >= SATURATED * cores:
        parts.append(f"The processor limits the rate: {used:.1f} of {cores} cores are in use. {_eaters(figures)}")
        parts.append(f"The busiest node is {busiest}, {share:.0%} of the time.")
    elif share >= SATURATED:
        parts.append(
            f"{busiest} limits the rate: it is busy {share:.0%} of the time, {figures.busy_ms_per_frame[busiest]:.1f}"
            f" ms a frame; {used:.1f} of {cores} cores are in use."
        )
    else:
        parts.append(
            f"No node is busy all the time ({busiest} the most, {share:.0%}), nor is the processor ({used:.1f} of"
            f" {cores} cores): the rest is waiting for hand-overs and for cores at the wrong moment."
        )
    if figures.others_cores > DISTURBED:
        parts.append(
            f"Other programs used {figures.others_cores:.1f} cores meanwhile: the figures are of a busy machine."
        )
    return " ".join([*parts, _next(figures, cores, busiest)])


def _pace(figures: RunFigures) -> str:
    made = f"{figures.rate_hz:.1f} fused frames/s"
    if figures.input_hz is None:
        return f"At full speed, without loss, the graph makes {made}."
    lost = ", ".join(f"{count} of {edge}" for edge, count in figures.dropped.items()) or "nothing"
    return f"Of an input of {figures.input_hz:.1f} frames/s the graph makes {made}; dropped: {lost}."


def _eaters(figures: RunFigures) -> str:
    total = sum(figures.cpu_ms_per_frame.values())
    largest = sorted(figures.cpu_ms_per_frame.items(), key=lambda item: -item[1])[:3]
    return "Of the processor time go " + ", ".join(f"{ms / total:.0%} to {name}" for name, ms in largest) + "."


def _next(figures: RunFigures, cores: int, busiest: str) -> str:
    now, after = limits(figures, cores)[0], limits(figures, cores, without=busiest)
    text = f"The lowest limit is {_called(now, cores)}: {now.rate_hz:.1f} frames/s."
    if not after:
        return text
    then = f"{_called(after[0], cores)}: {after[0].rate_hz:.1f} frames/s"
    return f"{text} If {busiest} took no time, the next limit would be {then}."


def _called(limit: Limit, cores: int) -> str:
    return limit.node or f"the processor ({cores} cores)"


def _cpu_of(figures: RunFigures, node: str) -> float:
    """A node's processor time: its process's, by its share of the compute there."""
    process, nodes = next((p, n) for p, n in figures.processes.items() if node in n)
    busy: Mapping[str, float] = {name: figures.busy_ms_per_frame.get(name, 0.0) for name in nodes}
    return figures.cpu_ms_per_frame.get(process, 0.0) * busy[node] / max(sum(busy.values()), 1e-9)
