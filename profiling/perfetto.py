"""A run as a trace for Perfetto (https://ui.perfetto.dev): every frame's way through all processes on one time axis.

The protobuf form of Perfetto's trace format (``TracePacket``, ``TrackEvent``), times in the host's monotonic clock. A
process is a worker process. In it each node has a track for its calls, and one for each input with the way of its
messages: outbox, transport, wait; where several are on their way at once it has several rows. A flow leads from the
call that made a message over its way to the call that used it. How many messages are on an edge is a counter, drops
are instants on the track of the publisher.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import UserError
from pipeline.account import Loss
from pipeline.trace import Call, NodeTrace, Taken

if TYPE_CHECKING:
    from perfetto.trace_builder.proto_builder import TraceProtoBuilder

SEQUENCE = 1  # all packets come from one writer


def require_writable(path: Path) -> None:
    """Raise :class:`UserError` where :func:`write` would fail: asked before the run."""
    try:
        import perfetto.protos.perfetto.trace.perfetto_trace_pb2  # noqa: F401
    except ImportError:
        raise UserError("--trace: the package perfetto is not installed: pip install -e .[profile]") from None
    try:
        existed = path.exists()
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise UserError(f"--trace {path}: cannot be written: {error.strerror}; give another file") from None


def write(path: Path, traces: Mapping[str, NodeTrace], losses: Iterable[Loss]) -> None:
    """Write the trace of a run. Raises :class:`UserError` where ``path`` cannot be written."""
    from perfetto.trace_builder.proto_builder import TraceProtoBuilder

    builder = TraceProtoBuilder()
    events = _Events(builder, traces)
    for node, trace in traces.items():
        for call in trace.calls:
            events.call(node, call)
    events.queues(traces)
    for loss in losses:
        events.drop(loss)
    try:
        path.write_bytes(builder.serialize())
    except OSError as error:
        raise UserError(f"--trace {path}: cannot be written: {error.strerror}; give another file") from None


class _Events:
    """Adds packets to the trace. Tracks are described when they are first used."""

    def __init__(self, builder: TraceProtoBuilder, traces: Mapping[str, NodeTrace]) -> None:
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import CounterDescriptor, TrackEvent

        self._builder = builder
        self._kinds = TrackEvent
        self._count = CounterDescriptor.UNIT_COUNT
        self._tracks: dict[tuple[str, ...], int] = {}
        self._processes: dict[str, int] = {}
        self._row_ends_ns: dict[tuple[str, str], list[int]] = {}
        self._made: dict[tuple[str, str, int], list[tuple[int, int]]] = {}  # flows from a call: (published_ns, number)
        self._flows: dict[tuple[str, str, str, int], int] = {}
        for node, trace in traces.items():
            self._describe_node(node, trace)
            for call in trace.calls:
                for taken in call.inputs:
                    self._number_flow(node, taken)

    def call(self, node: str, call: Call) -> None:
        """A call's slices: the way of each input, then the node's own code; with the flows that go through them."""
        for taken in call.inputs:
            row = self._row(node, f"{taken.publisher} -> {node}.{taken.input}", taken.published_ns, call.started_ns)
            flow = [self._flow(node, taken)]
            self._slice(row, "outbox", taken.published_ns, taken.sent_ns, flow)
            self._slice(row, "transport", taken.sent_ns, taken.received_ns, flow)
            self._slice(row, "wait", taken.received_ns, call.started_ns, flow)
        made = self._made.get((node, call.source, call.seq), [])
        flows = [self._flow(node, taken) for taken in call.inputs]
        flows += [number for published_ns, number in made if published_ns >= call.finished_ns]
        name = f"{node} {call.name or call.seq}" + (" failed" if call.failed else "")
        self._slice(self._track(node, node), name, call.started_ns, call.finished_ns, flows)

    def queues(self, traces: Mapping[str, NodeTrace]) -> None:
        """A counter for each edge: messages that were published and whose call had not begun."""
        for node, trace in traces.items():
            changes: dict[str, list[tuple[int, int]]] = {}
            for call in trace.calls:
                for taken in call.inputs:
                    edge = f"{taken.publisher} -> {node}.{taken.input}"
                    changes.setdefault(edge, []).extend(((taken.published_ns, 1), (call.started_ns, -1)))
            for edge, steps in changes.items():
                track, depth = self._track(node, f"{edge} on the way", counter=True), 0
                for at_ns, step in sorted(steps):
                    depth += step
                    packet = self._packet(at_ns, track, self._kinds.TYPE_COUNTER)
                    packet.track_event.counter_value = depth

    def drop(self, loss: Loss) -> None:
        """An instant on the track of the publisher that dropped the message."""
        publisher = loss.edge.partition(" -> ")[0]
        if loss.at_ns and publisher in self._processes:
            packet = self._packet(loss.at_ns, self._track(publisher, publisher), self._kinds.TYPE_INSTANT)
            packet.track_event.name = f"dropped {loss.name or loss.seq}: {loss.reason} on {loss.edge}"

    def _describe_node(self, node: str, trace: NodeTrace) -> None:
        opening = trace.openings[0] if trace.openings else None
        process = opening.process if opening else node
        uuid = self._new_track((process,))
        if uuid is not None and opening is not None:
            descriptor = self._builder.add_packet().track_descriptor
            descriptor.uuid = uuid
            descriptor.process.pid = opening.pid
            descriptor.process.process_name = process
        self._processes[node] = self._tracks[process,]

    def _track(self, node: str, name: str, row: int = 0, *, counter: bool = False) -> int:
        """The track ``name`` in the process of ``node``."""
        uuid = self._new_track((node, name, str(row)))
        if uuid is not None:
            descriptor = self._builder.add_packet().track_descriptor
            descriptor.uuid, descriptor.parent_uuid, descriptor.name = uuid, self._processes[node], name
            if counter:
                descriptor.counter.unit = self._count
        return self._tracks[node, name, str(row)]

    def _new_track(self, key: tuple[str, ...]) -> int | None:
        """A new number for ``key``; None where it has one."""
        if key in self._tracks:
            return None
        self._tracks[key] = len(self._tracks) + 1
        return self._tracks[key]

    def _row(self, node: str, name: str, begin_ns: int, end_ns: int) -> int:
        """A track that is free from ``begin_ns``: slices of one track must not overlap. Perfetto shows those of one
        name together."""
        ends_ns = self._row_ends_ns.setdefault((node, name), [])
        row = next((i for i, busy_until_ns in enumerate(ends_ns) if busy_until_ns <= begin_ns), len(ends_ns))
        ends_ns[row:] = [end_ns, *ends_ns[row + 1 :]]
        return self._track(node, name, row)

    def _number_flow(self, node: str, taken: Taken) -> None:
        key = (node, taken.input, taken.source, taken.published_ns)
        if key not in self._flows:
            self._flows[key] = len(self._flows) + 1
            made = self._made.setdefault((taken.publisher, taken.source, taken.seq), [])
            made.append((taken.published_ns, self._flows[key]))

    def _flow(self, node: str, taken: Taken) -> int:
        """The number of one message's way over one edge."""
        return self._flows[node, taken.input, taken.source, taken.published_ns]

    def _slice(self, track: int, name: str, begin_ns: int, end_ns: int, flows: list[int]) -> None:
        packet = self._packet(begin_ns, track, self._kinds.TYPE_SLICE_BEGIN)
        packet.track_event.name = name
        packet.track_event.flow_ids.extend(flows)
        self._packet(end_ns, track, self._kinds.TYPE_SLICE_END)

    def _packet(self, at_ns: int, track: int, kind: int) -> Any:
        packet = self._builder.add_packet()
        packet.timestamp = at_ns
        packet.trusted_packet_sequence_id = SEQUENCE
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet
