"""A node's inputs: each over a socket or from a neighbour in the same process, all into one inbox."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import zmq

from pipeline import account
from pipeline.codec import CodecError, decode
from pipeline.control import InputSpec
from pipeline.links import wire
from pipeline.links.exchange import Exchange
from pipeline.links.handover import Handover
from pipeline.links.inbox import Inbox
from pipeline.links.security import RunKeys, secure_client


class Subscriber:
    """Input sockets and handovers. Each section below says whose thread its methods are for."""

    def __init__(
        self,
        node: str,
        exchange: Exchange,
        context: zmq.Context[Any],
        *,
        inputs: list[InputSpec],
        inbox: Inbox,
        keys: RunKeys | None,
        incarnation: int,
        poller: zmq.Poller,
    ) -> None:
        self.node = node
        self.inputs = {spec.name: spec for spec in inputs}
        self.sockets: dict[str, zmq.Socket[Any]] = {}
        self._inbox = inbox
        self._handovers: Mapping[str, Handover] = {}
        self._exchange = exchange
        self._context = context
        self._keys = keys
        self._incarnation = incarnation
        self._poller = poller
        self._acks: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        self._farewells: set[str] = set()

    # -- compute thread -----------------------------------------------------------------------------------------------

    def acknowledge(self, input_name: str, *, credit: int, done: Iterable[tuple[int, str]] = ()) -> None:
        """Tell the publisher what became of messages, and that ``credit`` more may come."""
        if input_name in self._handovers:
            self._handovers[input_name].acknowledge(credit, done)
            return
        with self._exchange.changed:
            granted, finished = self._acks.get(input_name, (0, []))
            self._acks[input_name] = (granted + credit, [*finished, *done])
        self._exchange.wake()

    def farewell(self, input_name: str) -> None:
        """The end of an input has been taken note of."""
        if input_name in self._handovers:
            self._handovers[input_name].farewell()
            return
        with self._exchange.changed:
            self._farewells.add(input_name)
        self._exchange.wake()

    # -- I/O thread (and set-up, before it runs) ----------------------------------------------------------------------

    def connect(self, endpoints: dict[str, str], finished: Iterable[str], handovers: Mapping[str, Handover]) -> None:
        """Connect every input to its publisher: ``handovers`` has those of neighbours, by input. Other publishers in
        ``finished`` have ended for good."""
        self._handovers = handovers
        for spec in self.inputs.values():
            if spec.name in handovers:
                handovers[spec.name].connect(spec.name, self._inbox, self._first_credit(spec))
            elif spec.publisher in finished:
                self._inbox.end(spec.name)
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
            self._inbox.end(spec.name)

    def _open_inputs_from(self, publisher: str) -> list[InputSpec]:
        return [s for s in self.inputs.values() if s.publisher == publisher and not self._inbox.has_ended(s.name)]

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
                self._inbox.end(spec.name)

    def _data(self, spec: InputSpec, frames: list[zmq.Frame]) -> None:
        """Decode one message into the inbox. What is not a message of the input's type is counted and done with."""
        try:
            link = wire.decode_link(frames[0].buffer if frames else b"")
        except wire.WireError as error:
            self._inbox.refuse(spec.name, str(error))
            return
        try:
            message = decode([frame.buffer for frame in frames[2:]], max_bytes=wire.MAX_MESSAGE_BYTES)
        except CodecError as error:
            self._inbox.refuse(spec.name, str(error))
            accepted = False
        else:
            accepted = self._inbox.put(spec.name, link, message)
        if not accepted:
            self.acknowledge(spec.name, credit=1, done=[(link.seq, account.MALFORMED)])

    def close(self) -> None:
        """Close the sockets."""
        for socket in self.sockets.values():
            socket.close()
