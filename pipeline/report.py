"""The report of a run, as it is shown and saved."""

from __future__ import annotations

import msgspec
import numpy as np

from pipeline.account import EdgeAccount, Loss


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values_ns: np.ndarray) -> Percentiles | None:
        """Of durations in nanoseconds; None where there are none."""
        if not len(values_ns):
            return None
        p50, p95, p99, top = (round(float(v) / 1e6, 3) for v in np.percentile(values_ns, (50, 95, 99, 100)))
        return cls(p50, p95, p99, top)


class NodeReport(msgspec.Struct, kw_only=True):
    """What one node did. ``runtime_ms`` is latency less the node code of all hops: the runtime's own share."""

    node: str
    processed: int
    emitted: int
    queue_ms: Percentiles | None
    transport_ms: Percentiles | None
    compute_ms: Percentiles | None
    latency_ms: Percentiles | None
    runtime_ms: Percentiles | None
    skipped: list[tuple[str, str]]
    malformed: int
    counters: dict[str, int]


class ProcessReport(msgspec.Struct, kw_only=True):
    """What one worker process used, over all its incarnations."""

    process: str
    restarts: int
    cpu_s: float
    peak_rss_mb: float


class Notice(msgspec.Struct):
    """Something a node said, and how often."""

    node: str
    level: str
    text: str
    count: int = 1


class RateReport(msgspec.Struct, frozen=True, kw_only=True):
    """A node's output against the rate that the graph expects of it, over the run.

    ``expected_hz`` is scaled by the playback rate. ``ok_share``: of the ``judged_s`` seconds, how much it was at its
    rate; None where nothing was judged, and ``not_judged`` says why. ``lowest_hz``, ``highest_hz``: of any full window.
    """

    node: str
    expected_hz: float
    tolerance: float
    ok_share: float | None
    judged_s: float
    lowest_hz: float | None
    highest_hz: float | None
    not_judged: str


class RunReport(msgspec.Struct, kw_only=True):
    """The whole account. ``outcome``: finished, interrupted, user (a user's mistake), failed."""

    graph: str
    outcome: str
    reason: str
    started_utc: str
    duration_s: float
    edges: list[EdgeAccount]
    nodes: list[NodeReport]
    processes: list[ProcessReport]
    expected_rates: list[RateReport]
    losses: list[Loss]
    unnamed_losses: int
    notices: list[Notice]
    events: list[tuple[str, str]]
    left_out: list[tuple[str, str]]

    @property
    def unexplained(self) -> int:
        """Messages that nobody can account for."""
        return sum(abs(edge.unexplained) for edge in self.edges)

    @property
    def exit_code(self) -> int:
        """0 well; 1 failed; 2 a user's mistake; 130 interrupted and drained."""
        codes = {"finished": 0, "interrupted": 130, "user": 2}
        return codes.get(self.outcome, 1)
