"""One run in figures, and several runs as the series of a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from pipeline.graph import process_groups
from pipeline.node import load_node_class, node_signature
from profiling.pipeline.decompose import Frame, Ways
from profiling.pipeline.run import Observed
from profiling.result import Series

WARM_UP = 5  # frames: first touches of memory, first calls of libraries


class NodeFigures(msgspec.Struct, frozen=True):
    """Milliseconds of every call after the warm-up."""

    queue_ms: list[float]
    transport_ms: list[float]
    compute_ms: list[float]


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One run, the warm-up left out.

    ``rate_hz``: fused frames/s. ``input_hz``: how fast the measurements were due; None at full speed.
    ``busy_ms_per_frame``: a node's compute for each fused frame that came out. ``cpu_ms_per_frame``, ``memory_mb``
    (resident, largest): by process. ``cpu``: (seconds since the first frame, share of a core) by process.
    ``dropped``: by edge. ``others_cores``: in use by other programs meanwhile.
    """

    fused: str
    frames: list[Frame]
    nodes: dict[str, NodeFigures]
    paths_ms: dict[str, list[float]]
    rate_hz: float
    input_hz: float | None
    busy_ms_per_frame: dict[str, float]
    cpu_ms_per_frame: dict[str, float]
    cpu: dict[str, list[tuple[float, float]]]
    memory_mb: dict[str, float]
    processes: dict[str, list[str]]
    dropped: dict[str, int]
    others_cores: float


def figures(observed: Observed, fused: str, *, paced: bool) -> RunFigures:
    """Work out the figures of one run; ``paced``: it was not at full speed."""
    ways = Ways(observed.traces)
    every = ways.frames(fused)
    frames = every[WARM_UP:] if len(every) > 2 * WARM_UP else every
    begin_ns, end_ns = (frames[0].finished_ns, frames[-1].finished_ns) if frames else (0, 0)
    rate_hz = (len(frames) - 1) / (end_ns - begin_ns) * 1e9 if end_ns > begin_ns else 0.0
    sources = [n for n, spec in observed.graph.nodes.items() if node_signature(load_node_class(spec.type)).is_source]
    cpu_s = _cpu_between(observed, begin_ns, end_ns)
    return RunFigures(
        fused=fused,
        frames=frames,
        nodes={name: _node(ways, name, frames) for name in observed.graph.nodes},
        paths_ms=ways.path_latencies_ms(fused),
        rate_hz=rate_hz,
        input_hz=_input_hz(observed, sources[0]) if paced else None,
        busy_ms_per_frame={
            n: _busy_ms(observed, n, begin_ns, end_ns) / max(len(frames) - 1, 1) for n in observed.traces
        },
        cpu_ms_per_frame={p: 1e3 * s / rate_hz for p, s in cpu_s.items()} if rate_hz else {},
        cpu={p.process: _cpu_over_time(observed, p.process, begin_ns) for p in observed.report.processes},
        memory_mb={p.process: p.peak_rss_mb for p in observed.report.processes},
        processes={"+".join(names): names for names in process_groups(observed.graph)},
        dropped={edge.edge: lost for edge in observed.report.edges if (lost := sum(edge.lost.values()))},
        others_cores=observed.others_cores,
    )


def series(runs: Sequence[RunFigures]) -> list[Series]:
    """The series of a profile: a repetition per run."""
    first = runs[0]
    found = [
        Series(name=f"{node}.{what}", unit="ms", better="lower", runs=samples)
        for node in first.nodes
        for what in ("compute", "queue", "transport")
        if all(samples := [getattr(run.nodes[node], f"{what}_ms") for run in runs])
    ]
    found += [
        Series(name=f"{first.fused}.latency", unit="ms", better="lower", runs=_per_frame(runs, "latency_ns")),
        Series(name=f"{first.fused}.runtime", unit="ms", better="lower", runs=_per_frame(runs, "runtime_ns")),
        Series(name="throughput", unit="1/s", better="higher", runs=[[run.rate_hz] for run in runs]),
    ]
    for process in first.processes:
        cpu_ms = [[run.cpu_ms_per_frame[process]] for run in runs if process in run.cpu_ms_per_frame]
        if len(cpu_ms) == len(runs):
            found.append(Series(name=f"{process}.processor time per frame", unit="ms", better="lower", runs=cpu_ms))
        memory = [[run.memory_mb[process]] for run in runs]
        found.append(Series(name=f"{process}.memory", unit="MB", better="lower", runs=memory))
    return found


def _per_frame(runs: Sequence[RunFigures], what: str) -> list[list[float]]:
    return [[getattr(frame, what) / 1e6 for frame in run.frames] for run in runs]


def _node(ways: Ways, name: str, frames: list[Frame]) -> NodeFigures:
    first = frames[0].seq if frames else 0
    timings = [timing for timing in ways.timings(name) if timing.seq >= first]
    return NodeFigures(
        *([getattr(timing, what) / 1e6 for timing in timings] for what in ("queue", "transport", "compute"))
    )


def _input_hz(observed: Observed, source: str) -> float | None:
    due_ns = [call.due_ns for call in observed.traces[source].calls]
    return (len(due_ns) - 1) / (due_ns[-1] - due_ns[0]) * 1e9 if len(due_ns) > 1 else None


def _busy_ms(observed: Observed, node: str, begin_ns: int, end_ns: int) -> float:
    """How long the node's code ran for what it finished between two times."""
    return sum(call.busy_ns for call in observed.traces[node].calls if begin_ns < call.finished_ns <= end_ns) / 1e6


def _cpu_between(observed: Observed, begin_ns: int, end_ns: int) -> dict[str, float]:
    """Cores in use by process, from the last sample before to the first after; empty where there are no two."""
    inside = [seen for seen in observed.statuses if begin_ns <= seen.at_ns <= end_ns]
    if len(inside) < 2:
        return {}
    first, last = inside[0], inside[-1]
    used = Counter({p.process: p.cpu_s for p in last.status.processes})
    used.subtract({p.process: p.cpu_s for p in first.status.processes})
    return {process: cpu_s / (last.at_ns - first.at_ns) * 1e9 for process, cpu_s in used.items()}


def _cpu_over_time(observed: Observed, process: str, begin_ns: int) -> list[tuple[float, float]]:
    rows: list[tuple[float, float]] = []
    before: tuple[int, float] | None = None
    for at_ns, *_, status in observed.statuses:
        cpu_s = next((p.cpu_s for p in status.processes if p.process == process), None)
        if cpu_s is None:
            continue
        if before is not None and at_ns > before[0]:
            rows.append(((at_ns - begin_ns) / 1e9, (cpu_s - before[1]) / (at_ns - before[0]) * 1e9))
        before = (at_ns, cpu_s)
    return rows
