"""What has arrived at a node and waits for its compute thread, over sockets or from a neighbour."""

from __future__ import annotations

import logging
from collections import deque

import msgspec

from pipeline.clock import now_ns
from pipeline.links.exchange import Exchange
from pipeline.links.wire import Link
from pipeline.messages import Message

log = logging.getLogger(__name__)


class Arrived(msgspec.Struct, frozen=True):
    """A message in the inbox. ``received_ns``: when it was put there, decoded, host time."""

    input: str
    link: Link
    message: Message
    received_ns: int


class InputEnded(msgspec.Struct, frozen=True):
    """The last thing that comes from an input."""

    input: str


class Inbox:
    """In order of arrival. ``types``: the message type that each input takes. Any thread may fill it, one takes."""

    def __init__(self, node: str, exchange: Exchange, types: dict[str, type[Message]]) -> None:
        self.malformed = 0
        self._node = node
        self._exchange = exchange
        self._types = types
        self._items: deque[Arrived | InputEnded] = deque()
        self._ended: set[str] = set()

    def receive(self, timeout_s: float | None) -> Arrived | InputEnded | None:
        """The next message or end of an input; None after ``timeout_s``. Raises :class:`exchange.Stop`."""
        with self._exchange.arrived:
            self._exchange.wait_for_arrival(lambda: self._items, timeout_s)
            return self._items.popleft() if self._items else None

    def put(self, input_name: str, link: Link, message: Message) -> bool:
        """Take in a message. False where it is not of the input's type: then it is counted as malformed."""
        expected = self._types[input_name]
        if not isinstance(message, expected):
            self.refuse(input_name, f"{type(message).__name__} where {expected.__name__} is expected")
            return False
        with self._exchange.arrived:
            self._items.append(Arrived(input_name, link, message, now_ns()))
            self._exchange.arrived.notify_all()
        return True

    def refuse(self, input_name: str, problem: str) -> None:
        """Count what came and is no message, and say so."""
        with self._exchange.arrived:
            self.malformed += 1
        log.warning("%s: a message for input %s was malformed: %s", self._node, input_name, problem)

    def end(self, input_name: str) -> None:
        """Nothing more comes from an input. Only the first word counts."""
        with self._exchange.arrived:
            if input_name not in self._ended:
                self._ended.add(input_name)
                self._items.append(InputEnded(input_name))
                self._exchange.arrived.notify_all()

    def has_ended(self, input_name: str) -> bool:
        """Whether :meth:`end` was said of an input."""
        return input_name in self._ended
