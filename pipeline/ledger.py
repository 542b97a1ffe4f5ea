"""The account of a run while it goes: collected from heartbeats, balanced at the end."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from pipeline import account
from pipeline.account import EdgeAccount, Loss, NodeBeat
from pipeline.clock import now_ns
from pipeline.control import Beat
from pipeline.graph import Graph
from pipeline.live.window import TimingWindow
from pipeline.process import WorkerProcess
from pipeline.report import NodeReport, Notice, Percentiles, ProcessReport, RateReport, RunReport
from pipeline.samples import LatencyCounts, SeqSet, TimingSample

MAX_NOTICES = 200


class NodeLedger:
    """What heartbeats have said of one node, over all its incarnations."""

    def __init__(self) -> None:
        self.last = NodeBeat("", "starting")
        self.processed = 0
        self.emitted = 0
        self.malformed = 0
        self.counters: Counter[str] = Counter()
        self.timings = TimingSample()
        self.recent = TimingWindow()
        self.latencies = LatencyCounts()
        self.beat_ns = 0
        self.handled_seqs = SeqSet()
        self.emitted_seqs = SeqSet()
        self.received_seqs: dict[str, SeqSet] = defaultdict(SeqSet)
        self.received: Counter[str] = Counter()
        self.skipped: list[tuple[str, str]] = []
        self.edges: dict[str, EdgeAccount] = {}
        self.deaths = 0

    def add(self, beat: NodeBeat, incarnation: int) -> None:
        if incarnation == self.deaths:
            self.last = beat
            self.beat_ns = now_ns()
        self.skipped += beat.skipped
        for timing in beat.timings:
            self.timings.add(timing)
            self.recent.add(self.beat_ns, timing)
            self.latencies.add(timing.latency)
        for seq in beat.handled_seqs:
            self.handled_seqs.add(seq)
        for seq in beat.emitted_seqs:
            self.emitted_seqs.add(seq)
        for name, seq in beat.received_seqs:
            self.received_seqs[name].add(seq)
            self.received[name] += 1

    def fold(self) -> None:
        """The incarnation is over: what its last beat counted becomes part of the sum."""
        self.processed += self.last.processed
        self.emitted += self.last.emitted
        self.malformed += self.last.malformed
        self.counters.update(self.last.counters)
        # A dead incarnation's queue is gone with it.
        totals = self.edge_totals().items()
        self.edges = {name: msgspec.structs.replace(edge, waiting=0, in_flight=0) for name, edge in totals}
        self.last = NodeBeat(self.last.node, "dead")

    @property
    def total_processed(self) -> int:
        """Over all incarnations."""
        return self.processed + self.last.processed

    @property
    def total_emitted(self) -> int:
        """Over all incarnations."""
        return self.emitted + self.last.emitted

    def edge_totals(self) -> dict[str, EdgeAccount]:
        """Each edge of the node's output over all incarnations, with the queue of the present one."""
        totals = dict(self.edges)
        for edge in self.last.edges:
            before = totals.get(edge.edge, EdgeAccount(edge.edge, edge.policy))
            offered, outcomes = before.offered + edge.offered, dict(Counter(before.outcomes) + Counter(edge.outcomes))
            totals[edge.edge] = msgspec.structs.replace(edge, offered=offered, outcomes=outcomes)
        return totals


class RunLedger:
    """Collects heartbeats and events, and makes the report of them."""

    def __init__(self, graph: Graph, strict: bool) -> None:
        self.graph = graph
        self._strict = strict
        self.nodes = {name: NodeLedger() for name in graph.nodes}
        self._losses: dict[tuple[str, int, str], Loss] = {}
        self._unnamed_losses = 0
        self._notices: dict[tuple[str, str, str], Notice] = {}
        self._events: list[tuple[str, str]] = []
        self._faults: list[str] = []
        self._started_utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._started_ns = now_ns()

    # -- while it runs ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Messages flow from now on."""
        self._started_ns = now_ns()

    def add_beat(self, beat: Beat, incarnation: int) -> None:
        """Take in one heartbeat. Beats of a dead incarnation that come late only add to what is said once."""
        for node_beat in beat.nodes:
            self.nodes[node_beat.node].add(node_beat, incarnation)
            for loss in node_beat.losses:
                self._add_loss(loss)
            for name, reason in node_beat.skipped:
                self._faults.append(f"{node_beat.node} could not use {name}: {reason}")
            for counter, count in node_beat.counters.items():
                if counter.endswith("_not_finite") and count:
                    self._faults.append(f"{node_beat.node}: {counter} = {count}")
            if node_beat.malformed:
                self._faults.append(f"{node_beat.node} received a malformed message")

    def add_notice(self, node: str, level: str, text: str) -> None:
        """A node has said something."""
        known = self._notices.get((node, level, text))
        if known is not None:
            known.count += 1
        elif len(self._notices) < MAX_NOTICES:
            self._notices[(node, level, text)] = Notice(node, level, text)

    def add_event(self, process: str, text: str) -> None:
        """Something has happened to a process."""
        self._events.append((process, text))
        self._faults.append(text)

    def process_died(self, nodes: list[str]) -> None:
        """Sum up what the dead incarnation had said."""
        for node in nodes:
            self.nodes[node].fold()
            self.nodes[node].deaths += 1

    def busy_ns(self, node: str) -> int:
        """How long the node's present ``process`` call had lasted at its last heartbeat."""
        return self.nodes[node].last.busy_ns

    def resume_after(self, source: str) -> int | None:
        """The number after which a restarted source goes on; None from the start.

        Where every consumer is lossless it is the last one that all of them have (more is sent again and told apart);
        otherwise the last one that any has: what is past is past.
        """
        edges = [edge for edge in self.graph.edges if edge.source == source]
        newest = [self.nodes[edge.target].received_seqs[edge.input].last for edge in edges]
        if edges and all(edge.policy == "all" for edge in edges):
            last = min(newest)
        else:
            last = max([*newest, self.nodes[source].emitted_seqs.last])
        return last if last >= 0 else None

    def strict_fault(self) -> str | None:
        """The first thing that ``--strict`` does not allow."""
        if not self._strict:
            return None
        for loss in self._losses.values():
            if loss.reason not in (account.OVERFLOW, account.EXPIRED):
                return f"{loss.edge} lost {loss.name or loss.seq}: {loss.reason} {loss.detail}".strip()
        return self._faults[0] if self._faults else None

    def _add_loss(self, loss: Loss) -> None:
        key = (loss.edge, loss.seq, loss.reason)
        known = self._losses.get(key)
        if known is None and len(self._losses) >= account.MAX_NAMED_LOSSES:
            self._unnamed_losses += 1
        elif known is None or loss.detail:
            self._losses[key] = loss

    # -- at the end ---------------------------------------------------------------------------------------------------

    def report(
        self, outcome: str, reason: str, processes: list[WorkerProcess], expected_rates: Sequence[RateReport] = ()
    ) -> RunReport:
        """Balance the edges and sum everything up."""
        duration_s = (now_ns() - self._started_ns) / 1e9
        for node in self.nodes.values():
            node.fold()
        for name, node in self.nodes.items():
            for edge in node.edges.values():
                self._balance(name, node, edge)
        return RunReport(
            graph=self.graph.name,
            outcome=outcome,
            reason=reason,
            started_utc=self._started_utc,
            duration_s=round(duration_s, 3),
            edges=[edge for node in self.nodes.values() for edge in node.edges.values()],
            nodes=[_node_report(name, node) for name, node in self.nodes.items()],
            processes=[
                ProcessReport(
                    process=process.name,
                    restarts=process.incarnation,
                    cpu_s=round(process.cpu_s, 2),
                    peak_rss_mb=round(process.peak_rss_bytes / 2**20, 1),
                )
                for process in processes
            ],
            expected_rates=list(expected_rates),
            losses=sorted(self._losses.values(), key=lambda loss: (loss.edge, loss.seq)),
            unnamed_losses=self._unnamed_losses,
            notices=list(self._notices.values()),
            events=self._events,
            left_out=[(entry.node, entry.reason) for entry in self.graph.left_out],
        )

    def _balance(self, publisher: str, node: NodeLedger, edge: EdgeAccount) -> None:
        """Find what died with a publisher: neither it nor its consumers could say so.

        Messages whose account died with it, but that the consumer did receive, were used. Numbers that the consumer
        never saw, between others that it saw, and that were not lost anywhere on the way, were in the dead process.
        """
        if not node.deaths:
            return
        target, _, input_name = edge.edge.partition(" -> ")[2].partition(".")
        outcomes = Counter(edge.outcomes)
        missing: list[int] = []
        if target in self.nodes:
            consumer = self.nodes[target]
            outcomes[account.USED] += max(0, consumer.received[input_name] - edge.delivered)
            missing = self._missing(publisher, node, edge, consumer.received_seqs[input_name])
        for seq in missing:
            self._add_loss(Loss(edge.edge, seq, "", account.PUBLISHER_DIED))
        known = sum(outcomes.values())
        outcomes[account.PUBLISHER_DIED] += max(len(missing), edge.offered - known)
        edge.offered = sum(outcomes.values())
        edge.outcomes = dict(+outcomes)

    def _missing(self, publisher: str, node: NodeLedger, edge: EdgeAccount, received: SeqSet) -> list[int]:
        one_to_one = len(node.emitted_seqs) >= 0.9 * len(node.handled_seqs)
        if not len(received) or not one_to_one:
            return []
        into_publisher = f" -> {publisher}."
        named = {loss.seq for loss in self._losses.values() if loss.edge == edge.edge or into_publisher in loss.edge}
        last = max(received.last, node.emitted_seqs.last, node.handled_seqs.last)
        return [seq for seq in received.gaps(last) if seq not in named]


def _node_report(name: str, node: NodeLedger) -> NodeReport:
    sample = node.timings.columns()
    return NodeReport(
        node=name,
        processed=node.processed,
        emitted=node.emitted,
        queue_ms=Percentiles.of(sample["queue"]),
        transport_ms=Percentiles.of(sample["transport"]),
        compute_ms=Percentiles.of(sample["compute"]),
        latency_ms=Percentiles.of(sample["latency"]),
        runtime_ms=Percentiles.of(sample["latency"] - sample["path_compute"]),
        skipped=node.skipped,
        malformed=node.malformed,
        counters=dict(node.counters),
    )
