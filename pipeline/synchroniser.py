"""Brings messages of several topics together: for each message of the primary topic, the nearest of every other one.

A pure object: no clock, no thread, no socket. The caller says what arrived and what time it is.

The choice is a function of each topic's own sequence of messages, not of how the sequences interleave on arrival (as
long as nothing times out or overflows): a set waits until no later message could be nearer. For a primary stamp ``t``
the messages of a topic are looked at in the order of their stamps ``c`` (offset added), and the first of these decides:

- ``c >= t``: this one or the one before it, whichever is nearer; the earlier one where both are as near;
- ``c`` is within tolerance, and the next message, due no sooner than 0.9 periods after it, cannot be nearer;
- the topic has ended: the last one.

What is farther than the tolerance does not match: the input is missing because only later ones came (``passed``), or
because its stream is over (``ended``). Where a timeout is set and nothing has decided by then, the nearest so far is
taken, and an input without one is missing by ``timeout``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from pipeline.account import INCOMPLETE, LATE, SYNC_OVERFLOW, UNMATCHED, USED
from pipeline.messages import InputStatus, Message

OK, PASSED, ENDED, TIMEOUT = "ok", "passed", "ended", "timeout"


class TopicSync(msgspec.Struct, frozen=True, kw_only=True):
    """How one topic is matched to the primary one.

    ``offset_ns`` is added to the topic's stamps before they are compared. ``period_ns``, where the topic has a steady
    rate, saves waiting for the next message only to see that it is farther; 0 if it is not known.
    """

    name: str
    offset_ns: int = 0
    tolerance_ns: int
    period_ns: int = 0
    optional: bool = False


class SyncSet(msgspec.Struct, frozen=True, kw_only=True):
    """One primary message and what was found for it.

    ``status`` has one entry per topic, the primary first. ``usable`` is False where an input that is not optional is
    missing. ``completed_by`` is the topic whose message, or whose end, completed the set; the primary one where the
    timeout did.
    """

    primary: Message
    inputs: dict[str, Message | None]
    status: tuple[InputStatus, ...]
    usable: bool
    completed_by: str


class Released(msgspec.Struct, frozen=True):
    """A message that the synchroniser is finished with.

    ``reason``: ``used`` (in a usable set), ``incomplete`` (only in sets that lacked a required input), ``unmatched``
    (in no set), ``late`` (its stamp is not after the one before it in its topic, or its topic had ended),
    ``sync_overflow`` (more than ``max_pending`` were waiting).
    """

    topic: str
    message: Message
    reason: str


class _Held(msgspec.Struct, eq=False):
    """A message of another topic. ``open``: a primary still undecided, or still to come, may choose it."""

    stamp_ns: int
    message: Message
    outcome: str = UNMATCHED
    open: bool = True
    chosen_by: int = 0  # pending sets


class _Pending(msgspec.Struct, eq=False):
    """A primary message whose set is not out yet. ``choices``: message and status per topic that is decided."""

    stamp_ns: int
    message: Message
    arrived_ns: int
    choices: dict[str, tuple[_Held | None, str]]
    completed_by: str


class _Topic:
    """One of the other topics: its open messages, and the pending primaries it has not decided on, both by stamp."""

    def __init__(self, sync: TopicSync) -> None:
        self.sync = sync
        self.queue: deque[_Held] = deque()
        self.undecided: deque[_Pending] = deque()
        self.last_stamp_ns: int | None = None
        self.ended = False
        self.held = 0

    def decide(self, target_ns: int) -> tuple[_Held | None, str] | None:
        """The final match for a primary stamp and its status; None while a later message could change it."""
        best = None
        for held in self.queue:
            if held.stamp_ns >= target_ns:
                if best is None or held.stamp_ns - target_ns < target_ns - best.stamp_ns:
                    best = held
                return self._within_tolerance(best, target_ns, PASSED)
            best = held
            # In stamp order, even if a message that breaks the period is here already: when it came must not matter.
            if self._matches(held, target_ns) and self._next_is_farther(held, target_ns):
                return held, OK
        return self._within_tolerance(best, target_ns, ENDED) if self.ended else None

    def decide_now(self, target_ns: int) -> tuple[_Held | None, str]:
        """The match among what is here, for an undecided primary whose time is up."""
        return self._within_tolerance(self.queue[-1] if self.queue else None, target_ns, TIMEOUT)

    def take_hopeless(self, floor_ns: int) -> list[_Held]:
        """Take away what no primary at or after ``floor_ns`` can choose, without changing what they do choose."""
        hopeless = []
        while self.queue and self._is_hopeless(floor_ns):
            hopeless.append(self.queue.popleft())
        return hopeless

    def _is_hopeless(self, floor_ns: int) -> bool:
        first = self.queue[0]
        if first.stamp_ns + self.sync.tolerance_ns < floor_ns:
            return True
        next_is_nearer = len(self.queue) > 1 and first.stamp_ns + self.queue[1].stamp_ns < 2 * floor_ns
        return next_is_nearer and not self._next_is_farther(first, floor_ns)

    def _within_tolerance(self, best: _Held | None, target_ns: int, otherwise: str) -> tuple[_Held | None, str]:
        return (best, OK) if best is not None and self._matches(best, target_ns) else (None, otherwise)

    def _matches(self, held: _Held, target_ns: int) -> bool:
        return abs(held.stamp_ns - target_ns) <= self.sync.tolerance_ns

    def _next_is_farther(self, held: _Held, target_ns: int) -> bool:
        """Whether ``held + 0.9 period - target >= target - held``, in integers."""
        return 20 * (target_ns - held.stamp_ns) <= 9 * self.sync.period_ns


class Synchroniser:
    """Makes one set per primary message, in the order of their stamps.

    ``timeout_ns`` counts from the primary's arrival; None waits for ever (a replay that may lose nothing).
    ``max_pending`` bounds the primaries that wait, and each other topic's messages that wait for a primary: the oldest
    goes; None sets no bound. ``now_ns`` is any clock that does not run backwards. Each message comes out of
    :meth:`take_released` exactly once, at the latest when all topics have ended. Where credit limits how many messages
    of a topic are unreleased, two are needed: with one, the nearest so far would wait for the next for ever.
    """

    def __init__(
        self,
        primary: str,
        others: Sequence[TopicSync],
        *,
        timeout_ns: int | None,
        max_pending: int | None = 32,
    ) -> None:
        self._primary = primary
        self._topics = {sync.name: _Topic(sync) for sync in others}
        self._timeout_ns = timeout_ns
        self._max_pending = max_pending
        self._pending: deque[_Pending] = deque()
        self._last_primary_ns: int | None = None
        self._primary_ended = False
        self._released: list[Released] = []

    @property
    def pending(self) -> dict[str, int]:
        """How many messages are held, by topic."""
        return {self._primary: len(self._pending)} | {name: topic.held for name, topic in self._topics.items()}

    def add(self, topic: str, message: Message, now_ns: int) -> list[SyncSet]:
        """A message arrived. Returns the sets that are complete now, or whose time is up."""
        if topic == self._primary:
            self._add_primary(message, now_ns)
        else:
            self._add_other(self._topics[topic], message)
        return self.expire(now_ns)

    def end(self, topic: str, now_ns: int) -> list[SyncSet]:
        """A topic's stream is over. Returns the sets that are complete now, or whose time is up."""
        if topic == self._primary:
            self._primary_ended = True
            for other in self._topics.values():
                self._let_go(other)
        else:
            self._topics[topic].ended = True
            self._decide(self._topics[topic], completed_by=topic)
        return self.expire(now_ns)

    def expire(self, now_ns: int) -> list[SyncSet]:
        """Complete the sets whose time is up with what is here, and return them."""
        sets = self._emit()
        while (expiry_ns := self.next_expiry_ns()) is not None and expiry_ns <= now_ns:
            overdue = self._pending[0]
            for topic in self._topics.values():
                if topic.undecided and topic.undecided[0] is overdue:
                    self._choose(topic, topic.decide_now(overdue.stamp_ns), completed_by=self._primary)
                    self._let_go(topic)
            sets += self._emit()
        return sets

    def next_expiry_ns(self) -> int | None:
        """When :meth:`expire` is due, on the clock of ``now_ns``; None if nothing waits for the time to pass."""
        if self._timeout_ns is None or not self._pending:
            return None
        return self._pending[0].arrived_ns + self._timeout_ns

    def take_released(self) -> list[Released]:
        """The messages that the synchroniser has finished with since the last call."""
        released, self._released = self._released, []
        return released

    def _add_primary(self, message: Message, now_ns: int) -> None:
        stamp_ns = message.header.stamp_ns
        if self._primary_ended or (self._last_primary_ns is not None and stamp_ns <= self._last_primary_ns):
            self._released.append(Released(self._primary, message, LATE))
            return
        self._last_primary_ns = stamp_ns
        pending = _Pending(stamp_ns, message, now_ns, {}, self._primary)
        self._pending.append(pending)
        for topic in self._topics.values():
            topic.undecided.append(pending)
            self._decide(topic, completed_by=self._primary)
        if self._max_pending is not None and len(self._pending) > self._max_pending:
            self._drop_oldest_primary()

    def _add_other(self, topic: _Topic, message: Message) -> None:
        stamp_ns = message.header.stamp_ns + topic.sync.offset_ns
        if topic.ended or (topic.last_stamp_ns is not None and stamp_ns <= topic.last_stamp_ns):
            self._released.append(Released(topic.sync.name, message, LATE))
            return
        topic.last_stamp_ns = stamp_ns
        topic.queue.append(_Held(stamp_ns, message))
        topic.held += 1
        self._decide(topic, completed_by=topic.sync.name)
        if self._max_pending is not None and len(topic.queue) > self._max_pending:
            oldest = topic.queue.popleft()
            if oldest.outcome == UNMATCHED and not oldest.chosen_by:
                oldest.outcome = SYNC_OVERFLOW
            self._close(topic, oldest)

    def _decide(self, topic: _Topic, completed_by: str) -> None:
        """Settle the primaries that can be settled, in order, then let go of messages that nobody can want."""
        while topic.undecided and (choice := topic.decide(topic.undecided[0].stamp_ns)) is not None:
            self._choose(topic, choice, completed_by)
        self._let_go(topic)

    def _choose(self, topic: _Topic, choice: tuple[_Held | None, str], completed_by: str) -> None:
        pending = topic.undecided.popleft()
        pending.choices[topic.sync.name] = choice
        pending.completed_by = completed_by
        if choice[0] is not None:
            choice[0].chosen_by += 1

    def _let_go(self, topic: _Topic) -> None:
        if topic.undecided:
            hopeless = topic.take_hopeless(topic.undecided[0].stamp_ns)
        elif self._primary_ended:
            hopeless = list(topic.queue)
            topic.queue.clear()
        elif self._last_primary_ns is not None:
            hopeless = topic.take_hopeless(self._last_primary_ns + 1)
        else:
            return
        for held in hopeless:
            self._close(topic, held)

    def _emit(self) -> list[SyncSet]:
        """The complete sets at the head of the line."""
        sets = []
        while self._pending and len(self._pending[0].choices) == len(self._topics):
            sets.append(self._finish(self._pending.popleft()))
        return sets

    def _finish(self, pending: _Pending) -> SyncSet:
        inputs: dict[str, Message | None] = {}
        status = [InputStatus(self._primary, OK, pending.stamp_ns)]
        for name in self._topics:
            held, reason = pending.choices[name]
            inputs[name] = None if held is None else held.message
            status.append(InputStatus(name, reason, None if held is None else held.message.header.stamp_ns))
        usable = all(topic.sync.optional or inputs[name] is not None for name, topic in self._topics.items())
        outcome = USED if usable else INCOMPLETE
        self._released.append(Released(self._primary, pending.message, outcome))
        self._unchoose(pending, outcome)
        return SyncSet(
            primary=pending.message,
            inputs=inputs,
            status=tuple(status),
            usable=usable,
            completed_by=pending.completed_by,
        )

    def _drop_oldest_primary(self) -> None:
        oldest = self._pending.popleft()
        self._released.append(Released(self._primary, oldest.message, SYNC_OVERFLOW))
        for topic in self._topics.values():
            if topic.undecided and topic.undecided[0] is oldest:
                topic.undecided.popleft()
                self._let_go(topic)
        self._unchoose(oldest, UNMATCHED)

    def _unchoose(self, pending: _Pending, outcome: str) -> None:
        """The set of ``pending`` is gone: its messages may be released, with ``outcome`` unless they did better."""
        for name, (held, _) in pending.choices.items():
            if held is not None:
                held.chosen_by -= 1
                if outcome == USED or held.outcome == UNMATCHED:
                    held.outcome = outcome
                self._release_if_free(self._topics[name], held)

    def _close(self, topic: _Topic, held: _Held) -> None:
        held.open = False
        self._release_if_free(topic, held)

    def _release_if_free(self, topic: _Topic, held: _Held) -> None:
        if not held.open and not held.chosen_by:
            topic.held -= 1
            self._released.append(Released(topic.sync.name, held.message, held.outcome))
