"""A node's inputs: a socket for each, and the inbox that they fill."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
import zmq

from pipeline import account
from pipeline.clock import now_ns
from pipeline.codec import CodecError, decode
from pipeline.control import InputSpec
from pipeline.links import wire
from pipeline.links.exchange import Exchange
from pipeline.links.security import RunKeys, secure_client
from pipeline.messages import Message

log = logging.getLogger(__name__)


class Arrived(msgspec.Struct, frozen=True):
    """A message in the inbox. ``received_ns``: when it was decoded, host time."""

    input: str
    link: wire.Link
    message: Message
    received_ns: int


class InputEnded(msgspec.Struct, frozen=True):
    """The last thing that comes from an input."""

    input: str


class Subscriber:
    """Input sockets and the inbox. Each section below says whose thread its methods are for."""

    def __init__(
        self,
        node: str,
        exchange: Exchange,
        context: zmq.Context[Any],
        *,
        inputs: list[InputSpec],
        types: dict[str, type[Message]],
        keys: RunKeys | None,
        incarnation: int,
        poller: zmq.Poller,
    ) -> None:
        self.node = node
        self.inputs = {spec.name: spec for spec in inputs}
        self.sockets: dict[str, zmq.Socket[Any]] = {}
        self.malformed = 0
        self._types = types
        self._exchange = exchange
        self._context = context
        self._keys = keys
        self._incarnation = incarnation
        self._poller = poller
        self._inbox: deque[Arrived | InputEnded] = deque()
        self._ended: set[str] = set()
        self._acks: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        self._farewells: set[str] = set()

    # -- compute thread -----------------------------------------------------------------------------------------------

    def receive(self, timeout_s: float | None) -> Arrived | InputEnded | None:
        """The next message or end of an input; None after ``timeout_s``. Raises :class:`exchange.Stop`."""
        with self._exchange.changed:
            self._exchange.wait(lambda: self._inbox, timeout_s)
            return self._inbox.popleft() if self._inbox else None

    def acknowledge(self, input_name: str, *, credit: int, done: Iterable[tuple[int, str]] = ()) -> None:
        """Tell the publisher what became of messages, and that ``credit`` more may come."""
        with self._exchange.changed:
            granted, finished = self._acks.get(input_name, (0, []))
            self._acks[input_name] = (granted + credit, [*finished, *done])
        self._exchange.wake()

    def farewell(self, input_name: str) -> None:
        """The end of an input has been taken note of."""
        with self._exchange.changed:
            self._farewells.add(input_name)
        self._exchange.wake()

    # -- I/O thread (and set-up, before it runs) ----------------------------------------------------------------------

    def connect(self, endpoints: dict[str, str], finished: Iterable[str]) -> None:
        """Connect every input to its publisher; publishers in ``finished`` have ended for good."""
        for spec in self.inputs.values():
            if spec.publisher in finished:
                self._arrive(InputEnded(spec.name))
            else:
                self._connect(spec, endpoints[spec.publisher])

    def reconnect(self, publisher: str, endpoint: str) -> None:
        """``publisher`` was restarted and listens at ``endpoint``."""
        for spec in self._open_inputs_from(publisher):
            self._disconnect(spec)
            self._connect(spec, endpoint)

    def publisher_gone(self, publisher: str) -> None:
        """``publisher`` will not come back: its stream ends here."""
        for spec in self._open_inputs_from(publisher):
            self._disconnect(spec)
            self._arrive(InputEnded(spec.name))

    def _open_inputs_from(self, publisher: str) -> list[InputSpec]:
        return [s for s in self.inputs.values() if s.publisher == publisher and s.name not in self._ended]

    def _connect(self, spec: InputSpec, endpoint: str) -> None:
        socket = wire.consumer_socket(self._context)
        if spec.curve and endpoint.startswith("tcp:"):
            assert self._keys is not None
            secure_client(socket, self._keys.for_client())
        socket.routing_id = f"{self.node}.{spec.name}/{self._incarnation}/{time.monotonic_ns()}".encode()
        socket.connect(endpoint)
        hello = wire.Hello(f"{self.node}.{spec.name}", self._first_credit(spec), self._incarnation)
        socket.send_multipart([wire.HELLO, wire.encode_body(hello)])
        self.sockets[spec.name] = socket
        self._poller.register(socket, zmq.POLLIN)

    def _first_credit(self, spec: InputSpec) -> int:
        if spec.policy == "latest":
            return 1
        # A synchroniser may have to see the next message to know that the one it holds is the nearest.
        return max(spec.queue, 2 if len(self.inputs) > 1 else 1)

    def _disconnect(self, spec: InputSpec) -> None:
        """Take what has arrived, then close: the acknowledgements for it have nowhere to go."""
        socket = self.sockets.pop(spec.name)
        self._take_all(spec, socket)
        self._poller.unregister(socket)
        socket.close()
        with self._exchange.changed:
            self._acks.pop(spec.name, None)

    def flush(self) -> None:
        """Send acknowledgements and farewells upstream."""
        with self._exchange.changed:
            acks, self._acks = self._acks, {}
            farewells, self._farewells = self._farewells, set()
        for name in acks.keys() & self.sockets.keys():
            self.sockets[name].send_multipart([wire.CREDIT, wire.encode_body(wire.Credit(*acks[name]))])
        for name in farewells & self.sockets.keys():
            self.sockets[name].send(wire.BYE)

    def take_in(self, socket: zmq.Socket[Any]) -> None:
        """Fill the inbox with what has arrived on an input's socket."""
        name = next(key for key, value in self.sockets.items() if value is socket)
        self._take_all(self.inputs[name], socket)

    def _take_all(self, spec: InputSpec, socket: zmq.Socket[Any]) -> None:
        while True:
            try:
                verb, *frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if verb.bytes == wire.DATA:
                self._data(spec, frames)
            elif verb.bytes == wire.END:
                self._arrive(InputEnded(spec.name))

    def _data(self, spec: InputSpec, frames: list[zmq.Frame]) -> None:
        """Decode one message into the inbox. What is not a message of the input's type is counted and done with."""
        try:
            link = wire.decode_link(frames[0].buffer if frames else b"")
        except wire.WireError:
            self.malformed += 1
            return
        try:
            message = decode([frame.buffer for frame in frames[2:]], max_bytes=wire.MAX_MESSAGE_BYTES)
            expected = self._types[spec.name]
            if not isinstance(message, expected):
                raise CodecError(f"{type(message).__name__} where {expected.__name__} is expected")
        except CodecError as error:
            self.malformed += 1
            log.warning("%s: a message from %s was malformed: %s", self.node, spec.publisher, error)
            self.acknowledge(spec.name, credit=1, done=[(link.seq, account.MALFORMED)])
            return
        self._arrive(Arrived(spec.name, link, message, now_ns()))

    def _arrive(self, item: Arrived | InputEnded) -> None:
        with self._exchange.changed:
            if isinstance(item, InputEnded):
                if item.input in self._ended:
                    return
                self._ended.add(item.input)
            self._inbox.append(item)
            self._exchange.changed.notify_all()

    def close(self) -> None:
        """Close the sockets."""
        for socket in self.sockets.values():
            socket.close()
