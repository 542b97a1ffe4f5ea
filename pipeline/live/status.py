"""What a run looks like at one moment: what ``run.py top``, the live table of ``play`` and ``/metrics`` are made of."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ProcessState = Literal["starting", "bound", "running", "waiting", "done", "gone"]


class Recent(Struct, frozen=True):
    """Median and 99th percentile over the last seconds, in milliseconds."""

    p50: float
    p99: float


class Histogram(Struct, frozen=True):
    """Durations since the run began. ``counts[i]``: those up to ``upper_s[i]`` and above the bound before it; the last
    count is of those above all bounds."""

    upper_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class RateStatus(Struct, frozen=True, kw_only=True):
    """A node's output against the rate that the graph expects of it, ``hz`` already scaled by the playback rate.

    ``alive``: a message came within the last few periods. ``ok``: alive, and at the expected rate. None: not judged,
    because too little time has passed, the stream has ended, or the run has no pace (``--rate max``).
    """

    hz: float
    tolerance: float
    alive: bool | None
    ok: bool | None


class NodeStatus(Struct, frozen=True, kw_only=True):
    """One node. Counts are since the run began, rates (messages/s) and times over the last ``RunStatus.window_s``.

    ``in_hz`` counts what was offered to the node on all its inputs, also what was dropped before it. None: a source has
    no input, a sink no output, or too little time has passed. ``latency_ms`` is from a message's due time to the end of
    this node's compute. ``up``: its process is alive and the node has opened.
    """

    node: str
    process: str
    state: str
    up: bool
    processed: int
    emitted: int
    in_hz: float | None
    out_hz: float | None
    queue_ms: Recent | None
    compute_ms: Recent | None
    latency_ms: Recent | None
    latency_histogram: Histogram
    expected_rate: RateStatus | None


class EdgeStatus(Struct, frozen=True, kw_only=True):
    """One edge: its queue now, and its losses by reason, since the run began and over the last seconds."""

    edge: str
    policy: str
    waiting: int
    in_flight: int
    offered: int
    offered_hz: float | None
    dropped: dict[str, int]
    dropped_lately: dict[str, int]


class ProcessStatus(Struct, frozen=True, kw_only=True):
    """One worker process. ``cpu_percent`` is of one core, over the last seconds; ``cpu_s`` over all incarnations."""

    process: str
    nodes: list[str]
    pid: int | None
    state: ProcessState
    restarts: int
    cpu_s: float
    cpu_percent: float | None
    rss_bytes: int


class RunStatus(Struct, frozen=True, kw_only=True):
    """The whole run. ``pid``: of the process that supervises it. ``rate`` None: ``--rate max``."""

    graph: str
    stage: str
    pid: int
    elapsed_s: float
    rate: float | None
    window_s: float
    nodes: list[NodeStatus]
    edges: list[EdgeStatus]
    processes: list[ProcessStatus]
