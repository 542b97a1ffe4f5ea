"""A profiled pipeline in tables, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from profiling.pipeline.figures import RunFigures


def print_tables(console: Console, runs: Sequence[RunFigures], startup_ms: Mapping[str, float]) -> None:
    """Nodes, paths, processes and the start, over all runs."""
    console.print(_nodes(runs))
    console.print(_paths(runs))
    console.print(_processes(runs))
    console.print(_startup(startup_ms))


def _nodes(runs: Sequence[RunFigures]) -> Table:
    table = _table("Every node, ms: p50 / p95 / p99", "node", "calls", "queue wait", "compute", "transport")
    for node in runs[0].nodes:
        pooled = {
            what: [value for run in runs for value in getattr(run.nodes[node], f"{what}_ms")]
            for what in ("queue", "compute", "transport")
        }
        table.add_row(node, str(len(pooled["compute"])), *(_percentiles(values) for values in pooled.values()))
    return table


def _paths(runs: Sequence[RunFigures]) -> Table:
    fused = runs[0].fused
    table = _table(
        f"End to end, ms: p50 / p95 / p99, {fused}", "path", "frames", "since due", "outside the nodes' code"
    )
    frames = [frame for run in runs for frame in run.frames]
    latency, runtime = ([getattr(frame, what) / 1e6 for frame in frames] for what in ("latency_ns", "runtime_ns"))
    table.add_row("each frame, by its last input", str(len(frames)), _percentiles(latency), _percentiles(runtime))
    for path in dict.fromkeys(path for run in runs for path in run.paths_ms):
        pooled = [value for run in runs for value in run.paths_ms.get(path, [])]
        table.add_row(path, str(len(pooled)), _percentiles(pooled), "")
    return table


def _processes(runs: Sequence[RunFigures]) -> Table:
    table = _table("Every process", "process", "cores in use", "processor ms per frame", "largest memory, MB")
    for process in runs[0].processes:
        cpu_ms = [run.cpu_ms_per_frame[process] for run in runs if process in run.cpu_ms_per_frame]
        cores = [run.cpu_ms_per_frame[process] * run.rate_hz / 1e3 for run in runs if process in run.cpu_ms_per_frame]
        memory = max(run.memory_mb[process] for run in runs)
        table.add_row(process, _median(cores, ".2f"), _median(cpu_ms, ".1f"), f"{memory:.0f}")
    return table


def _startup(stages_ms: Mapping[str, float]) -> Table:
    table = _table("From the command to the first fused frame", "stage", "ms")
    for name, ms in stages_ms.items():
        table.add_row(name, f"{ms:.0f}")
    table.add_row("in all", f"{sum(stages_ms.values()):.0f}", style="bold")
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left", no_wrap=True)
    return table


def _percentiles(values: Sequence[float]) -> str:
    if not values:
        return ""
    return " / ".join(f"{value:.2f}" if value < 10 else f"{value:.1f}" for value in np.percentile(values, (50, 95, 99)))


def _median(values: Sequence[float], form: str) -> str:
    return f"{np.median(values):{form}}" if values else "run too short"
