"""An edge between two nodes of one process: the outbox empties into the neighbour's inbox. No socket, no thread.

Whoever makes room or brings a message moves it on: the publisher's compute thread when it offers one, the consumer's
when it gives credit. Locks are taken downstream only, the publisher's and within it the consumer's; a graph has no
cycles, so no two threads wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline import account
from pipeline.clock import now_ns
from pipeline.links.exchange import Exchange
from pipeline.links.inbox import Inbox
from pipeline.links.outbox import Outbox
from pipeline.links.wire import Link

NEIGHBOUR = b"neighbour"  # stands for the peer that an edge over a socket has


class Handover:
    """``box`` is the edge's outbox; ``exchange`` is the publisher's, and its lock guards all of this."""

    def __init__(self, box: Outbox, exchange: Exchange) -> None:
        self.box = box
        self._exchange = exchange
        self._input = ""
        self._inbox: Inbox | None = None

    # -- the consumer's side ------------------------------------------------------------------------------------------

    def connect(self, input_name: str, inbox: Inbox, credit: int) -> None:
        """The consumer is there and can take ``credit`` messages."""
        with self._exchange.changed:
            self._input, self._inbox = input_name, inbox
            self.box.connect(NEIGHBOUR, credit, incarnation=0)  # neighbours live and die together
            self._exchange.changed.notify_all()

    def acknowledge(self, credit: int, done: Iterable[tuple[int, str]]) -> None:
        """What became of messages; ``credit`` more may come, and do where they wait already."""
        with self._exchange.changed:
            self.box.acknowledge(credit, done)
            self.move_on()
            self._exchange.changed.notify_all()

    def farewell(self) -> None:
        """The end of the stream has been taken note of."""
        with self._exchange.changed:
            self.box.end_acknowledged |= self.box.end_sent
            self._exchange.changed.notify_all()

    # -- the publisher's side -----------------------------------------------------------------------------------------

    def move_on(self) -> None:
        """Move what there is credit for, and then the end of the stream, to the inbox. Call with the lock held."""
        if self._inbox is None:
            return
        while (item := self.box.take(now_ns())) is not None:
            link_seq, parcel = item
            if not self._inbox.put(self._input, Link(link_seq, parcel.published_ns, now_ns()), parcel.message):
                self.box.acknowledge(1, [(link_seq, account.MALFORMED)])
        if self.box.must_end:
            self.box.end_sent = True
            self._inbox.end(self._input)
