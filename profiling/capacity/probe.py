"""One run of a graph at one rate, judged by its fused frames."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from errors import UserError
from pipeline.graph import Graph, load_graph
from pipeline.report import RunReport
from pipeline.supervisor import RunOptions, Supervisor
from pipeline.trace import Call, read_trace
from profiling.capacity.search import Probe
from profiling.capacity.sensors import Recording, fused_nodes, looped, side_by_side

WARM_UP_S = 1.0
LEAST_WARM_UP, LEAST_FRAMES = 5, 30  # frames


class Prober:
    """Runs ``config`` with ``sensors`` copies of its sensors, each time in new processes and a folder of its own.

    A run lasts ``seconds`` after the warm-up, and longer where that would be less than 30 frames.
    """

    def __init__(
        self, config: Path, data: str | None, sensors: int, seconds: float, overrides: Sequence[str] = ()
    ) -> None:
        self._config = config
        self._data = data
        self._sensors = sensors
        self._seconds = seconds
        self._overrides = overrides

    def load(self, folder: Path) -> Graph:
        """The graph of one sensor, its outputs in ``folder``. Raises :class:`errors.UserError`."""
        values = {"out": str(folder)} | ({"data": self._data} if self._data is not None else {})
        graph = load_graph(self._config, values=values, overrides=self._overrides, default_policy="latest")
        for node in graph.nodes.values():
            if node.publish is not None and node.publish.wait_for:
                raise UserError(f"node {node.name} waits for consumers: --set nodes.{node.name}.publish.wait_for=0")
        fused_nodes(graph)
        return graph

    def run(self, recording: Recording, rate_hz: float) -> Probe:
        """Raises :class:`errors.UserError` where the run fails, KeyboardInterrupt where it was interrupted."""
        warm_up = max(LEAST_WARM_UP, math.ceil(WARM_UP_S * rate_hz))
        frames = warm_up + max(LEAST_FRAMES, math.ceil(self._seconds * rate_hz))
        folder = Path(tempfile.mkdtemp(prefix="rc-"))
        try:
            graph = side_by_side([self._copy(folder, number, recording, frames) for number in range(self._sensors)])
            traces = folder / "trace"
            traces.mkdir()
            options = RunOptions(rate=rate_hz / recording.rate_hz, frames=frames, logs=folder, trace=traces)
            report = Supervisor(graph, options).run()
            _require_well(report, rate_hz)
            calls = {name: trace.calls for name, trace in read_trace(traces).items()}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        fused = {name: [call for call in calls[name] if call.seq >= warm_up] for name in fused_nodes(graph)}
        return _judge(rate_hz, graph, fused, frames - warm_up, _dropped(report, warm_up))

    def _copy(self, folder: Path, number: int, recording: Recording, frames: int) -> Graph:
        own = folder / str(number)
        own.mkdir()
        return looped(self.load(own), recording, frames)


def _require_well(report: RunReport, rate_hz: float) -> None:
    if report.outcome == "interrupted":
        raise KeyboardInterrupt
    if report.exit_code:
        raise UserError(f"the run at {rate_hz:.3g} frames/s failed: {report.reason}; try it with: run.py play")
    if report.events:
        raise UserError(f"the run at {rate_hz:.3g} frames/s was disturbed: {report.events[0][1]}")


def _dropped(report: RunReport, warm_up: int) -> int:
    """Messages lost on any edge, but for those of the warm-up."""
    return report.unnamed_losses + sum(loss.seq >= warm_up for loss in report.losses)


def _judge(rate_hz: float, graph: Graph, fused: dict[str, list[Call]], expected: int, dropped: int) -> Probe:
    """Of several fused outputs the slowest one counts."""
    missing = sum(max(0, expected - len(calls)) for calls in fused.values())
    connected = Counter(edge.target for edge in graph.edges)
    incomplete = sum(len(call.inputs) < connected[name] for name, calls in fused.items() for call in calls)
    if not all(fused.values()):
        return Probe(rate_hz, math.inf, math.inf, 0, max(dropped, missing), incomplete, [])
    latencies_ms = [[(call.finished_ns - call.due_ns) / 1e6 for call in calls] for calls in fused.values()]
    slowest = max(latencies_ms, key=lambda latency: float(np.percentile(latency, 99)))
    p50_ms, p99_ms = (float(value) for value in np.percentile(slowest, (50, 99)))
    return Probe(rate_hz, p50_ms, p99_ms, len(slowest), max(dropped, missing), incomplete, slowest)
