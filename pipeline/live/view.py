"""Makes the status of a run from its ledger: totals as they stand, rates and times over the last few seconds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping

from pipeline.account import EdgeAccount
from pipeline.clock import now_ns
from pipeline.graph import Graph
from pipeline.ledger import NodeLedger, RunLedger
from pipeline.live.expected_rate import RateJudge
from pipeline.live.status import EdgeStatus, NodeStatus, ProcessStatus, RateStatus, RunStatus
from pipeline.live.window import WINDOW_S, CountWindow
from pipeline.node import load_node_class, node_signature
from pipeline.process import WorkerProcess
from pipeline.report import RateReport

ENDING = ("draining", "done")
PROCESS_WORDS = {"waiting": "restarting", "gone": "gone"}


class LiveView:
    """Looks at a run's ledger again and again. ``rate``: of playback; None is ``--rate max``."""

    def __init__(self, ledger: RunLedger, rate: float | None) -> None:
        self._ledger = ledger
        self._rate = rate
        self._begun_ns = now_ns()
        self._sources_of = {name: _sources(name, ledger.graph) for name in ledger.graph.nodes}
        self._sinks = {
            name
            for name, spec in ledger.graph.nodes.items()
            if node_signature(load_node_class(spec.type)).output is None
        }
        self._judges = {
            name: RateJudge(name, spec.expected_rate, rate)
            for name, spec in ledger.graph.nodes.items()
            if spec.expected_rate is not None
        }
        self._started_ns: int | None = None
        self._edge_windows: dict[str, CountWindow] = defaultdict(CountWindow)
        self._node_windows: dict[str, CountWindow] = defaultdict(CountWindow)
        self._process_windows: dict[str, CountWindow] = defaultdict(CountWindow)

    def start(self) -> None:
        """Messages flow from now on."""
        self._started_ns = now_ns()
        for judge in self._judges.values():
            judge.start(self._started_ns)

    def status(self, stage: str, processes: list[WorkerProcess]) -> RunStatus:
        """The run as it is now."""
        now = now_ns()
        edges = [self._edge(node, edge, now) for node in self._nodes.values() for edge in node.edge_totals().values()]
        into: dict[str, float] = {}
        for edge in edges:
            target = _target(edge.edge)
            if edge.offered_hz is not None:
                into[target] = into.get(target, 0.0) + edge.offered_hz
        process_of = {node: process for process in processes for node in process.nodes}
        return RunStatus(
            graph=self._ledger.graph.name,
            stage=stage,
            pid=os.getpid(),
            elapsed_s=round((now - self._begun_ns) / 1e9, 3),
            rate=self._rate,
            window_s=WINDOW_S,
            nodes=[self._node(name, node, process_of[name], into, stage, now) for name, node in self._nodes.items()],
            edges=edges,
            processes=[self._process(process, now) for process in processes],
        )

    def rate_reports(self) -> list[RateReport]:
        """The judgement on every expected rate, over the whole run."""
        return [judge.report() for judge in self._judges.values()]

    @property
    def _nodes(self) -> dict[str, NodeLedger]:
        return self._ledger.nodes

    def _node(
        self, name: str, node: NodeLedger, process: WorkerProcess, into: Mapping[str, float], stage: str, now: int
    ) -> NodeStatus:
        window = self._node_windows[name]
        if self._started_ns is not None and name not in self._sinks:
            window.add(max(node.beat_ns, self._started_ns), {"out": node.total_emitted})
        times = node.recent.recent(now)
        return NodeStatus(
            node=name,
            process=process.name,
            state=PROCESS_WORDS.get(process.state, node.last.state),
            up=process.alive and name in process.ready_nodes,
            processed=node.total_processed,
            emitted=node.total_emitted,
            in_hz=_rounded(into.get(name)),
            out_hz=_rounded(window.per_s("out", now)),
            queue_ms=times and times.queue_ms,
            compute_ms=times and times.compute_ms,
            latency_ms=times and times.latency_ms,
            latency_histogram=node.latencies.histogram(),
            expected_rate=self._judge(name, node, stage, now),
        )

    def _judge(self, name: str, node: NodeLedger, stage: str, now: int) -> RateStatus | None:
        """Where a stream has come to its end, its rate falls to zero, and that is no fault of anybody's."""
        judge = self._judges.get(name)
        if judge is None:
            return None
        ending = any(self._nodes[other].last.state in ENDING for other in (name, *self._sources_of[name]))
        if stage == "draining" or ending:
            return judge.unjudged()
        return judge.look(now, node.beat_ns, node.total_emitted)

    def _edge(self, publisher: NodeLedger, edge: EdgeAccount, now: int) -> EdgeStatus:
        window = self._edge_windows[edge.edge]
        if self._started_ns is not None:
            window.add(max(publisher.beat_ns, self._started_ns), {"offered": edge.offered, **edge.lost})
        offered_hz = window.per_s("offered", now)
        lately = {reason: int(window.rise(reason, now)) for reason in edge.lost}
        return EdgeStatus(
            edge=edge.edge,
            policy=edge.policy,
            waiting=edge.waiting,
            in_flight=edge.in_flight,
            offered=edge.offered,
            offered_hz=_rounded(offered_hz),
            dropped=edge.lost,
            dropped_lately={reason: count for reason, count in lately.items() if count},
        )

    def _process(self, process: WorkerProcess, now: int) -> ProcessStatus:
        window = self._process_windows[process.name]
        window.add(process.sampled_ns, {"cpu_s": process.cpu_s})
        share = window.per_s("cpu_s", now)
        return ProcessStatus(
            process=process.name,
            nodes=process.nodes,
            pid=process.pid if process.alive else None,
            state=process.state,
            restarts=process.incarnation,
            cpu_s=round(process.cpu_s, 2),
            cpu_percent=None if share is None else round(100 * share, 1),
            rss_bytes=process.rss_bytes if process.alive else 0,
        )


def _sources(name: str, graph: Graph) -> set[str]:
    """The sources that a node's messages come from; a source itself has none."""
    before = {edge.source for edge in graph.edges if edge.target == name}
    further = [_sources(source, graph) or {source} for source in before]
    return set().union(*further)


def _target(edge: str) -> str:
    return edge.partition(" -> ")[2].partition(".")[0]


def _rounded(per_s: float | None) -> float | None:
    return None if per_s is None else round(per_s, 2)
