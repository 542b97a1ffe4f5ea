"""Put the nodes' traces together: each fused frame's way back to its source, stage by stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from pipeline.account import Timing
from pipeline.messages import Header, Hop
from pipeline.stages import COMPUTE, Stage, stages_of
from pipeline.trace import Call, NodeTrace, Taken


class Frame(msgspec.Struct, frozen=True):
    """One message that left ``node``, and what its latency since due is made of. Host monotonic nanoseconds."""

    source: str
    seq: int
    name: str
    due_ns: int
    finished_ns: int
    stages: list[Stage]

    @property
    def latency_ns(self) -> int:
        return self.finished_ns - self.due_ns

    @property
    def runtime_ns(self) -> int:
        """The part of the latency in which no node's code ran for this frame."""
        return self.latency_ns - sum(stage.duration_ns for stage in self.stages if stage.kind == COMPUTE)


class Ways:
    """The ways of all messages of one run through the graph."""

    def __init__(self, traces: Mapping[str, NodeTrace]) -> None:
        self._traces = traces
        self._calls: dict[tuple[str, str, int], list[Call]] = defaultdict(list)
        for node, trace in traces.items():
            for call in trace.calls:
                if not call.failed:
                    self._calls[node, call.source, call.seq].append(call)

    def frames(self, node: str) -> list[Frame]:
        """Every message that ``node`` made, whose whole way is known, in the order in which they were made."""
        frames = []
        for call in self._traces[node].calls:
            hops = None if call.failed else self.back(node, call)
            if hops is not None:
                stages = stages_of(call.due_ns, hops)
                frames.append(Frame(call.source, call.seq, call.name, call.due_ns, call.finished_ns, stages))
        return frames

    def back(self, node: str, call: Call, by: str | None = None) -> list[Hop] | None:
        """The hops to a call from its source: by way of input ``by``, then of those that came last.

        None where a part of it is not in the traces: of a process that was killed, or what a node emitted at its end.
        """
        if not call.inputs:
            return [Hop(node, call.due_ns, call.due_ns, call.due_ns, call.started_ns, call.finished_ns)]
        taken = _taken(call, by or call.completed_by)
        before = None if taken is None else self._made(taken)
        hops = None if taken is None or before is None else self.back(taken.publisher, before)
        if taken is None or hops is None:
            return None
        own = (taken.published_ns, taken.sent_ns, taken.received_ns, call.started_ns, call.finished_ns)
        return [*hops, Hop(node, *own)]

    def path_latencies_ms(self, node: str) -> dict[str, list[float]]:
        """By path, ``lidar → projection → …``, one for each input: from the measurement's due time to the end of the
        call of ``node`` that used it."""
        paths: dict[str, list[float]] = defaultdict(list)
        for call in self._traces[node].calls:
            for taken in call.inputs:
                hops = None if call.failed else self.back(node, call, by=taken.input)
                if hops is not None:
                    paths[" → ".join(hop.node for hop in hops)].append((call.finished_ns - hops[0].received_ns) / 1e6)
        return dict(paths)

    def timings(self, node: str) -> Iterator[Timing]:
        """Queue wait, transport and compute of every call of ``node``."""
        for call in self._traces[node].calls:
            hops = None if call.failed else self.back(node, call)
            if hops is not None:
                yield Timing.of(Header(seq=call.seq, due_ns=call.due_ns, hops=tuple(hops)))

    def _made(self, taken: Taken) -> Call | None:
        """The publisher's call that made a message: the last one before it was handed over (it may have been again)."""
        calls = self._calls.get((taken.publisher, taken.source, taken.seq), [])
        return next((call for call in reversed(calls) if call.finished_ns <= taken.published_ns), None)


def _taken(call: Call, name: str) -> Taken | None:
    return next((taken for taken in call.inputs if taken.input == name), None)
