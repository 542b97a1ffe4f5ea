"""The publisher's side of one edge: what waits, what is on its way, what became of it. No sockets, no threads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from pipeline import account, clock
from pipeline.account import EdgeAccount, Loss
from pipeline.messages import Header, Message


class Parcel(msgspec.Struct, frozen=True):
    """A message on offer, and its frames where it goes over a socket. ``published_ns``: host time."""

    message: Message
    frames: Sequence[Any]
    published_ns: int

    @property
    def header(self) -> Header:
        return self.message.header


class Outbox:
    """Messages for one consumer, sent against its credit.

    ``latest`` keeps the newest ``queue`` messages and drops the oldest; ``all`` is :attr:`full` at ``queue`` messages
    and the publisher must wait. Losses are collected in :attr:`losses`, for the owner to take away.
    """

    def __init__(self, edge: str, policy: Literal["latest", "all"], queue: int) -> None:
        self.edge = edge
        self.policy = policy
        self.queue = queue
        self.peer: bytes | None = None
        self.incarnation = -1
        self.credit = 0
        self.waiting: deque[tuple[int, Parcel]] = deque()
        self.in_flight: dict[int, Header] = {}
        self.outcomes: Counter[str] = Counter()
        self.losses: list[Loss] = []
        self.ended: str | None = None
        self.end_sent = False
        self.end_acknowledged = False
        self.gone = False
        self._next_link_seq = 0

    @property
    def full(self) -> bool:
        """Whether the publisher has to wait before the next :meth:`put`."""
        return self.policy == "all" and not self.gone and len(self.waiting) >= self.queue

    @property
    def sendable(self) -> bool:
        """Whether there is something to send, and leave to send it."""
        return self.peer is not None and self.credit > 0 and bool(self.waiting)

    @property
    def must_end(self) -> bool:
        """Whether the end of the stream is the next thing to send."""
        return self.ended is not None and not self.waiting and not self.end_sent

    @property
    def unfinished(self) -> int:
        """How much the consumer has still to take note of, the end included."""
        return 0 if self.finished else len(self.waiting) + len(self.in_flight) + 1

    @property
    def consumer(self) -> str:
        """Who is served: the edge's far end."""
        return self.edge.partition(" -> ")[2]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to send or to hear of."""
        return self.gone or (self.end_acknowledged and not self.waiting and not self.in_flight)

    def put(self, parcel: Parcel) -> None:
        """Offer a message. Under ``latest`` this may drop the oldest one waiting."""
        link_seq = self._next_link_seq
        self._next_link_seq += 1
        if self.gone:
            self._lose(parcel.header, account.CONSUMER_GONE)
            return
        self.waiting.append((link_seq, parcel))
        if self.policy == "latest" and len(self.waiting) > self.queue + self.credit:
            self._lose(self.waiting.popleft()[1].header, account.OVERFLOW)

    def take(self, now_ns: int) -> tuple[int, Parcel] | None:
        """The next message that may be sent now; expired ones before it are dropped."""
        if self.peer is None:
            return None
        self.drop_expired(now_ns)
        if not self.waiting or self.credit == 0:
            return None
        link_seq, parcel = self.waiting.popleft()
        self.credit -= 1
        self.in_flight[link_seq] = parcel.header
        return link_seq, parcel

    def drop_expired(self, now_ns: int) -> None:
        """Drop what is past its deadline."""
        expired = [item for item in self.waiting if _expired(item[1].header, now_ns)]
        for item in expired:
            self.waiting.remove(item)
            self._lose(item[1].header, account.EXPIRED)

    def connect(self, peer: bytes, credit: int, incarnation: int) -> bool:
        """A consumer said hello. False where this very one is known already. What an earlier one had is lost."""
        if self.peer == peer and self.incarnation == incarnation:
            return False
        self.lose_consumer()
        self.peer, self.credit, self.incarnation = peer, credit, incarnation
        self.end_sent = self.end_acknowledged = False
        return True

    def acknowledge(self, credit: int, done: Iterable[tuple[int, str]]) -> None:
        """The consumer grants credit and says what became of earlier messages."""
        self.credit += max(credit, 0)
        for link_seq, outcome in done:
            header = self.in_flight.pop(link_seq, None)
            if header is None:
                continue  # told twice, or made up: only the first word counts
            self.outcomes[outcome] += 1
            if outcome not in account.NOT_A_LOSS:
                self.losses.append(Loss(self.edge, header.seq, header.name, outcome, at_ns=clock.now_ns()))

    def lose_consumer(self, reason: str = account.CONSUMER_DIED) -> None:
        """The consumer is dead; another may come. What it had in hand is lost, what waits stays."""
        for header in self.in_flight.values():
            self._lose(header, reason)
        self.in_flight.clear()
        self.peer, self.credit = None, 0

    def close(self, reason: str) -> None:
        """Nobody will come (again). Everything that waits or is on its way is lost for ``reason``."""
        self.lose_consumer(reason)
        while self.waiting:
            self._lose(self.waiting.popleft()[1].header, reason)
        self.gone = True

    def account(self) -> EdgeAccount:
        """The edge's account as it stands."""
        return EdgeAccount(
            self.edge,
            self.policy,
            offered=self._next_link_seq,
            outcomes=dict(self.outcomes),
            waiting=len(self.waiting),
            in_flight=len(self.in_flight),
        )

    def _lose(self, header: Header, reason: str) -> None:
        self.outcomes[reason] += 1
        self.losses.append(Loss(self.edge, header.seq, header.name, reason, at_ns=clock.now_ns()))


def _expired(header: Header, now_ns: int) -> bool:
    return header.deadline_ns is not None and now_ns > header.deadline_ns
