"""What a run counts: per edge, per node. Workers send these with every heartbeat; the report is made of them.

The publisher of an edge keeps the edge's whole account, because every message ends in exactly one way there: it was
dropped before it left, or the consumer said what became of it, or the consumer is gone. So ``offered`` is always the
sum of the outcomes and of what is still on its way.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from pipeline.messages import Header

# How a message can end on an edge.
USED = "used"  # processed, or part of an emitted set
UNMATCHED = "unmatched"  # a synchroniser had no primary message for it (a 30 Hz camera beside a 10 Hz LiDAR)

# Losses that the publisher sees.
OVERFLOW = "overflow"  # a newer message took its place (policy `latest`)
EXPIRED = "expired"  # its deadline passed while it waited
CONSUMER_DIED = "consumer_died"  # the consumer's process died with the message in hand
CONSUMER_GONE = "consumer_gone"  # the consumer is not coming back
UNSENT = "unsent"  # the run was cut off before it could leave

# Losses that the consumer reports.
FAILED = "failed"  # process() raised
MALFORMED = "malformed"  # the bytes are not a message of the expected type
DUPLICATE = "duplicate"  # a restarted source sent it again
LATE = "late"  # its stamp is not after that of the message before
SYNC_OVERFLOW = "sync_overflow"  # the synchroniser held too many
INCOMPLETE = "incomplete"  # a required input of its set never came

# A loss that neither side can see: found by comparing what went into a dead publisher with what came out.
PUBLISHER_DIED = "publisher_died"

NOT_A_LOSS = frozenset({USED, UNMATCHED, DUPLICATE})

MAX_NAMED_LOSSES = 1000


class Loss(msgspec.Struct, frozen=True):
    """One message that did not reach its goal, by the name its source gave it. ``at_ns``: when its publisher knew, host
    time; 0 where it was found out later."""

    edge: str
    seq: int
    name: str
    reason: str
    detail: str = ""
    at_ns: int = 0


class EdgeAccount(msgspec.Struct):
    """The account of one edge, as its publisher keeps it."""

    edge: str
    policy: str
    offered: int = 0
    outcomes: dict[str, int] = {}
    waiting: int = 0
    in_flight: int = 0

    @property
    def delivered(self) -> int:
        """Messages that the consumer had in hand and gave an account of."""
        return sum(n for reason, n in self.outcomes.items() if reason not in _NEVER_ARRIVED)

    @property
    def lost(self) -> dict[str, int]:
        """Losses by reason."""
        return {reason: n for reason, n in sorted(self.outcomes.items()) if reason not in NOT_A_LOSS and n}

    @property
    def unexplained(self) -> int:
        """Messages without an outcome. Zero at the end of a run, or something is wrong."""
        return self.offered - sum(self.outcomes.values())


_NEVER_ARRIVED = frozenset({OVERFLOW, EXPIRED, CONSUMER_DIED, CONSUMER_GONE, UNSENT, PUBLISHER_DIED})


class Timing(msgspec.Struct, frozen=True, array_like=True):
    """Where one message's time went at one node, in nanoseconds.

    ``queue``: waiting in the publisher's outbox and in this node's inbox; of a source: released later than due.
    ``transport``: encoding, socket, decoding. ``compute``: the node's own code. ``latency``: from ``due_ns`` to the end
    of ``compute``. ``path_compute``: the node code of all hops so far, this one included; ``latency - path_compute`` is
    what the runtime took.
    """

    seq: int
    queue: int
    transport: int
    compute: int
    latency: int
    path_compute: int

    @classmethod
    def of(cls, header: Header) -> Timing:
        """The last hop of a message that this node has just made."""
        own, before = header.hops[-1], header.hops[-2] if len(header.hops) > 1 else None
        return cls(
            seq=header.seq,
            queue=own.sent_ns - own.published_ns + own.started_ns - own.received_ns,
            transport=own.received_ns - own.sent_ns + (own.published_ns - before.finished_ns if before else 0),
            compute=own.finished_ns - own.started_ns,
            latency=own.finished_ns - header.due_ns,
            path_compute=sum(hop.finished_ns - hop.started_ns for hop in header.hops),
        )


class NodeBeat(msgspec.Struct):
    """One node's part of a heartbeat. Lists hold what is new since the last one; counts are totals."""

    node: str
    state: str
    busy_ns: int = 0
    processed: int = 0
    emitted: int = 0
    edges: list[EdgeAccount] = []
    losses: list[Loss] = []
    timings: list[Timing] = []
    handled_seqs: list[int] = []
    emitted_seqs: list[int] = []
    received_seqs: list[tuple[str, int]] = []
    skipped: list[tuple[str, str]] = []
    counters: dict[str, int] = {}
    malformed: int = 0


class NodeMeter:
    """What a node's threads write into and the heartbeat takes from. The node's lock guards it."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.state = "starting"
        self.busy_since_ns: int | None = None
        self.processed = 0
        self.emitted = 0
        self.malformed = 0
        self._new = NodeBeat(node, "")

    def add_loss(self, loss: Loss) -> None:
        self._new.losses.append(loss)

    def add_timing(self, timing: Timing) -> None:
        self._new.timings.append(timing)

    def add_handled(self, seq: int) -> None:
        self.processed += 1
        self._new.handled_seqs.append(seq)

    def add_emitted(self, seq: int) -> None:
        self.emitted += 1
        self._new.emitted_seqs.append(seq)

    def add_received(self, input_name: str, seq: int) -> None:
        self._new.received_seqs.append((input_name, seq))

    def add_skipped(self, name: str, reason: str) -> None:
        self._new.skipped.append((name, reason))

    def take(self, edges: list[EdgeAccount], counters: Counter[str], now_ns: int) -> NodeBeat:
        """The beat since the last call."""
        beat, self._new = self._new, NodeBeat(self.node, "")
        beat.state = self.state
        beat.busy_ns = now_ns - self.busy_since_ns if self.busy_since_ns is not None else 0
        beat.processed, beat.emitted, beat.malformed = self.processed, self.emitted, self.malformed
        beat.edges = edges
        beat.counters = dict(counters)
        return beat
