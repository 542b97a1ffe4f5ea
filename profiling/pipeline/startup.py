"""How long a graph takes from the command to its first fused frame, by stage."""

from __future__ import annotations

import time

import psutil

from pipeline.clock import now_ns
from pipeline.trace import NodeTrace


def command_began_ns() -> int:
    """When this process was started, host monotonic nanoseconds, to 10 ms."""
    return now_ns() - round((time.time() - psutil.Process().create_time()) * 1e9)


def stages_ms(traces: dict[str, NodeTrace], began_ns: int, fused: str) -> dict[str, float]:
    """The stages, which follow each other and add up. Each ends when the last node has done it; it is named."""
    openings = {node: trace.openings[0] for node, trace in traces.items() if trace.openings}
    first = openings.values()
    # All are told at once; who hears it late may be behind the first frame.
    all_ready_ns = min(o.started_ns for o in first)
    slowest = max(openings, key=lambda node: openings[node].opened_ns)
    marks = {
        "command, graph checked": min(o.spawned_ns for o in first),
        "workers: interpreter and imports": max(o.imported_ns for o in first),
        "nodes constructed, outputs bound": max(o.bound_ns for o in first),
        "inputs connected": max(o.opening_ns for o in first),
        f"nodes opened (last: {slowest})": max(o.opened_ns for o in first),
        "all ready": all_ready_ns,
        "first frame": min((c.finished_ns for c in traces[fused].calls), default=all_ready_ns),
    }
    found, before_ns = {}, began_ns
    for name, mark_ns in marks.items():
        found[name] = (mark_ns - before_ns) / 1e6
        before_ns = mark_ns
    return found
