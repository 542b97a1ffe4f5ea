"""What a message's latency is made of: its hops as stages, one after the other, without a gap.

The way back from a message is along the inputs that completed each call. Where that leads to another sensor than the
one the message is about (a scan that waited for the camera frame after it), the first stage is ``due``: how much later
than the message itself that sensor's measurement was due. So the stages always add up to the latency from ``due_ns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from pipeline.messages import Header, Hop

DUE = "due"  # another sensor's measurement, needed for this one, was due later (earlier: negative)
LATE = "late"  # a source released later than due: woken late, or held up by its consumers
ENCODE = "encode"  # message to bytes; for a neighbour in the same process: its check
OUTBOX = "outbox"  # at the publisher, for room and for the consumer's credit
TRANSPORT = "transport"  # socket and decoding; next to nothing between neighbours
WAIT = "wait"  # in the node's inbox and synchroniser
COMPUTE = "compute"  # the node's own code; of a source: reading, as far as it made the measurement late

STAGES = (DUE, LATE, ENCODE, OUTBOX, TRANSPORT, WAIT, COMPUTE)


class Stage(msgspec.Struct, frozen=True):
    """A stretch of a message's way, host monotonic ns. ``encode`` is the publisher's, the rest the receiver's."""

    node: str
    kind: str
    begin_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.begin_ns


def stages(header: Header) -> list[Stage]:
    """The stages of a message's way from ``due_ns`` to the end of its last hop's call, in order."""
    if not header.hops:
        return []
    return stages_of(header.due_ns, header.hops)


def stages_of(due_ns: int, hops: Sequence[Hop]) -> list[Stage]:
    """The stages of ``hops``, a source's first, counted from ``due_ns``."""
    source = hops[0]
    found = [Stage(source.node, DUE, due_ns, source.received_ns)] if source.received_ns != due_ns else []
    found.append(Stage(source.node, LATE, source.received_ns, source.started_ns))
    found.append(Stage(source.node, COMPUTE, source.started_ns, source.finished_ns))
    for before, hop in pairwise(hops):
        found += [
            Stage(before.node, ENCODE, before.finished_ns, hop.published_ns),
            Stage(hop.node, OUTBOX, hop.published_ns, hop.sent_ns),
            Stage(hop.node, TRANSPORT, hop.sent_ns, hop.received_ns),
            Stage(hop.node, WAIT, hop.received_ns, hop.started_ns),
            Stage(hop.node, COMPUTE, hop.started_ns, hop.finished_ns),
        ]
    return found
