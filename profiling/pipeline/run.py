"""Run a graph once with its trace on, and keep what was seen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import psutil

from errors import UserError
from pipeline.clock import now_ns
from pipeline.graph import Graph
from pipeline.live.observer import Observer, Observers
from pipeline.live.status import RunStatus
from pipeline.node import load_node_class, node_signature
from pipeline.report import RunReport
from pipeline.supervisor import RunOptions, Supervisor
from pipeline.trace import NodeTrace, read_trace


class Seen(NamedTuple):
    """What a run looked like at a time (host monotonic), and the processor seconds used so far: by the machine in all,
    and by the graph."""

    at_ns: int
    machine_s: float
    own_s: float
    status: RunStatus


class Observed(NamedTuple):
    """One run: its account, its traces, what it looked like. ``others_cores``: used by other programs."""

    graph: Graph
    report: RunReport
    traces: dict[str, NodeTrace]
    statuses: list[Seen]
    begin_ns: int
    others_cores: float


def observe(
    load: Callable[[Path], Graph],
    watch: Callable[[Graph], AbstractContextManager[Observer]],
    *,
    rate: float | None,
    frames: int | None,
) -> Observed:
    """Run the graph that ``load`` makes for an output folder, which is removed afterwards; ``watch`` shows it.

    Raises:
        UserError: the run failed, or was disturbed by a restart: its times would not be those of the graph.
        KeyboardInterrupt: it was interrupted.
    """
    begin_ns = now_ns()
    folder = Path(tempfile.mkdtemp(prefix="rc-"))
    collector = _Collector()
    try:
        graph = load(folder)
        trace = folder / "trace"
        trace.mkdir()
        options = RunOptions(rate=rate, frames=frames, logs=folder, trace=trace)
        with watch(graph) as display:
            report = Supervisor(graph, options, Observers(collector, display)).run()
        traces = read_trace(trace)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if report.outcome == "interrupted":
        raise KeyboardInterrupt
    if report.exit_code:
        raise UserError(f"the run failed: {report.reason}; try it with: run.py play")
    if report.events:
        raise UserError(f"the run was disturbed: {report.events[0][1]}; try it with: run.py play")
    return Observed(graph, report, traces, collector.statuses, begin_ns, collector.others_cores())


def fused_node(graph: Graph) -> str:
    """The node whose output is the graph's: no sink, taken by sinks alone or by none, and with the most before it."""
    makes = {n: node_signature(load_node_class(spec.type)).output is not None for n, spec in graph.nodes.items()}
    ends = [n for n in graph.nodes if makes[n] and not any(makes[e.target] for e in graph.edges if e.source == n)]
    return max(ends, key=lambda name: len(_before(graph, name)))


def _before(graph: Graph, node: str) -> set[str]:
    publishers = {edge.source for edge in graph.edges if edge.target == node}
    return publishers.union(*(_before(graph, name) for name in publishers))


class _Collector(Observer):
    def __init__(self) -> None:
        self.statuses: list[Seen] = []

    def on_status(self, status: RunStatus) -> None:
        if status.stage == "running":
            times = psutil.cpu_times()
            own_s = sum(process.cpu_s for process in status.processes)
            self.statuses.append(Seen(now_ns(), sum(times) - times.idle - getattr(times, "iowait", 0), own_s, status))

    def others_cores(self) -> float:
        """Cores that were used on this machine, but not by the graph."""
        if len(self.statuses) < 2:
            return 0.0
        first, last = self.statuses[0], self.statuses[-1]
        machine_s, own_s = last.machine_s - first.machine_s, last.own_s - first.own_s
        return max(0.0, machine_s - own_s) / (last.at_ns - first.at_ns) * 1e9
