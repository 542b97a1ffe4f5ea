"""A node's sockets, in a thread of their own.

The I/O thread owns every socket of the node: a ROUTER for its output (and a second one where the output is open to
consumers outside the graph) and a DEALER per input. The compute thread never touches a socket: it takes from the
inbox, says what became of each message, and publishes into the outboxes. One lock guards what both see; a byte on a
socket pair wakes the I/O thread.
"""

from __future__ import annotations

import contextlib
import logging
import socket as sockets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
import zmq

from errors import UserError
from pipeline import account, wire
from pipeline.account import EdgeAccount, Loss
from pipeline.clock import now_ns
from pipeline.codec import CodecError, decode, encode
from pipeline.messages import Message
from pipeline.outbox import Outbox, Parcel
from pipeline.security import RunKeys, secure_client, secure_server

TICK_MS = 100
LET_GO_S = 0.01
PROBE_INTERVAL_NS = 1_000_000_000
MAX_OUTSIDE_CONSUMERS = 64

log = logging.getLogger(__name__)


class InputLink(msgspec.Struct, frozen=True):
    """One input of a node: from whom, what type, under which policy, and how many messages at once."""

    name: str
    publisher: str
    type: type[Message]
    policy: Literal["latest", "all"]
    queue: int
    curve: bool


class OutsidePublish(msgspec.Struct, frozen=True):
    """How an output is open to consumers outside the graph."""

    bind: str
    policy: Literal["latest", "all"]
    queue: int
    wait_for: int
    stall_timeout_s: float
    curve: bool


class Arrived(msgspec.Struct, frozen=True):
    """A message in the inbox. ``sent_ns`` and ``received_ns`` are host time."""

    input: str
    link_seq: int
    message: Message
    sent_ns: int
    received_ns: int


class InputEnded(msgspec.Struct, frozen=True):
    """The last thing that comes from an input."""

    input: str


class ConsumerStalledError(Exception):
    """A consumer outside the graph, served without loss, does not read any more."""


class Stop(Exception):  # noqa: N818 - an order, not an error
    """The node is told to end at once."""


class NodeLinks:
    """Sockets, inbox and outboxes of one node. Methods without a remark are for the compute thread."""

    def __init__(
        self,
        node: str,
        context: zmq.Context[Any],
        *,
        inputs: Iterable[InputLink] = (),
        outboxes: Iterable[Outbox] = (),
        publish: OutsidePublish | None = None,
        keys: RunKeys | None = None,
        incarnation: int = 0,
    ) -> None:
        self.node = node
        self.inputs = {link.name: link for link in inputs}
        self.outboxes = {outbox.edge: outbox for outbox in outboxes}
        self.publish_settings = publish
        self.changed = threading.Condition()
        self.malformed = 0
        self._context = context
        self._keys = keys
        self._incarnation = incarnation
        self._inbox: deque[Arrived | InputEnded] = deque()
        self._ended: set[str] = set()
        self._acks: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        self._farewells: set[str] = set()
        self._commands: deque[Callable[[], None]] = deque()
        self._outside: dict[bytes, Outbox] = {}
        self._left: list[EdgeAccount] = []
        self._losses: list[Loss] = []
        self._inside_socket: zmq.Socket[Any] | None = None
        self._outside_socket: zmq.Socket[Any] | None = None
        self._input_sockets: dict[str, zmq.Socket[Any]] = {}
        self._ended_reason: str | None = None
        self._next_probe_ns = 0
        self._stopping = False
        self._drop_everything = False
        self._poller = zmq.Poller()
        self._wake_read, self._wake_write = sockets.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._poller.register(self._wake_read, zmq.POLLIN)
        self._thread = threading.Thread(target=self._run, name=f"{node}-io", daemon=True)

    # -- set-up, before the thread runs -------------------------------------------------------------------------------

    def bind(self, endpoint: str, *, curve: bool, inproc: bool = False) -> str:
        """Bind the output for the graph's own edges; returns the endpoint with a wildcard port filled in.

        ``inproc``: also serve nodes of the same process, without copies.
        """
        self._inside_socket, bound = self._bind(endpoint, curve)
        if inproc:
            self._inside_socket.bind(inproc_endpoint(self.node))
        if self.publish_settings is not None:
            self._outside_socket, _ = self._bind(self.publish_settings.bind, self.publish_settings.curve)
        return bound

    def _bind(self, endpoint: str, curve: bool) -> tuple[zmq.Socket[Any], str]:
        socket = wire.publisher_socket(self._context)
        if curve:
            assert self._keys is not None
            secure_server(socket, self._keys)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise UserError(
                f"node {self.node}: cannot bind {endpoint}: {error.strerror.lower()}{_hint(error)}"
            ) from None
        self._poller.register(socket, zmq.POLLIN)
        return socket, bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

    def connect(self, endpoints: dict[str, str], finished: Iterable[str]) -> None:
        """Connect every input to its publisher; publishers in ``finished`` have ended for good."""
        for link in self.inputs.values():
            if link.publisher in finished:
                self._inbox.append(InputEnded(link.name))
                self._ended.add(link.name)
            else:
                self._connect(link, endpoints[link.publisher])

    def start(self) -> None:
        """Start the I/O thread."""
        self._thread.start()

    # -- for the control thread ---------------------------------------------------------------------------------------

    def reconnect(self, publisher: str, endpoint: str) -> None:
        """``publisher`` was restarted and listens at ``endpoint``."""
        self._command(lambda: self._reconnect(publisher, endpoint))

    def publisher_gone(self, publisher: str) -> None:
        """``publisher`` will not come back: its stream ends here."""
        self._command(lambda: self._end_inputs_from(publisher))

    def consumer_died(self, edge: str, *, for_good: bool) -> None:
        """The consumer of ``edge`` died; what it had in hand is lost. ``for_good``: nobody will take its place."""

        def lose() -> None:
            with self.changed:
                outbox = self.outboxes[edge]
                if for_good:
                    outbox.close(account.CONSUMER_GONE)
                else:
                    outbox.lose_consumer()
                self.changed.notify_all()

        self._command(lose)

    def abort(self) -> None:
        """Wake up every waiting call of the compute thread with :class:`Stop`."""
        with self.changed:
            self._drop_everything = True
            self.changed.notify_all()

    @property
    def connected(self) -> bool:
        """Whether every consumer of the graph is there, and as many outside as are waited for."""
        with self.changed:
            inside = all(outbox.peer is not None or outbox.gone for outbox in self.outboxes.values())
            return inside and len(self._outside) >= (self.publish_settings.wait_for if self.publish_settings else 0)

    def accounts(self) -> tuple[list[EdgeAccount], list[Loss]]:
        """Every edge's account, and the losses since the last call."""
        with self.changed:
            boxes = [*self.outboxes.values(), *self._outside.values()]
            losses, self._losses = self._losses, []
            for box in boxes:
                losses += box.losses
                box.losses = []
            return [box.account() for box in boxes] + self._left, losses

    # -- for the compute thread ---------------------------------------------------------------------------------------

    def receive(self, timeout_s: float | None) -> Arrived | InputEnded | None:
        """The next message or end of an input; None after ``timeout_s``. Raises :class:`Stop`."""
        with self.changed:
            self.changed.wait_for(lambda: self._inbox or self._drop_everything, timeout_s)
            if self._drop_everything:
                raise Stop
            return self._inbox.popleft() if self._inbox else None

    def acknowledge(self, input_name: str, *, credit: int, done: Iterable[tuple[int, str]] = ()) -> None:
        """Tell the publisher what became of messages, and that ``credit`` more may come."""
        with self.changed:
            granted, finished = self._acks.get(input_name, (0, []))
            self._acks[input_name] = (granted + credit, [*finished, *done])
        self._wake()

    def farewell(self, input_name: str) -> None:
        """The end of an input has been taken note of."""
        with self.changed:
            self._farewells.add(input_name)
        self._wake()

    def publish(self, message: Message) -> None:
        """Offer ``message`` to every consumer. Under ``all`` this waits until each can take it.

        Raises :class:`Stop`, or :class:`ConsumerStalledError` where a consumer outside the graph stopped reading.
        """
        parcel = Parcel(message.header, encode(message))
        with self.changed:
            for outbox in [*self.outboxes.values(), *self._outside.values()]:
                self._wait_for_room(outbox)
                outbox.put(parcel)
        self._wake()

    def let_go(self) -> None:
        """Stand back until what may be sent has been sent: reading the next record would hold up the I/O thread."""
        with self.changed:
            self.changed.wait_for(lambda: not any(box.sendable for box in self.outboxes.values()), LET_GO_S)

    def _wait_for_room(self, outbox: Outbox) -> None:
        stall_timeout_s = None
        if self.publish_settings is not None and outbox.edge not in self.outboxes:
            stall_timeout_s = self.publish_settings.stall_timeout_s
        if self.changed.wait_for(lambda: not outbox.full or self._drop_everything, stall_timeout_s):
            if self._drop_everything:
                raise Stop
            return
        consumer = outbox.edge.partition(" -> ")[2]
        raise ConsumerStalledError(
            f"{consumer} of {self.node} has not read for {stall_timeout_s:g} s, and the policy `all` waits for it;"
            " publish with policy `latest` if it may miss frames"
        )

    def end_output(self, reason: str) -> None:
        """Pass on the end of the stream, and wait until every consumer has taken note of it.

        A consumer outside the graph is given ``stall_timeout_s`` for what it has not read yet; raises
        :class:`ConsumerStalledError` after that under ``all``. Raises :class:`Stop`.
        """
        with self.changed:
            self._ended_reason = reason
            for outbox in [*self.outboxes.values(), *self._outside.values()]:
                outbox.ended = reason
        self._wake()
        with self.changed:
            self.changed.wait_for(lambda: self._drop_everything or all(b.finished for b in self.outboxes.values()))
            if self._drop_everything:
                raise Stop
            if self.publish_settings is None or self._settle_outside(self.publish_settings.stall_timeout_s):
                return
            slow = [box.edge.partition(" -> ")[2] for box in self._outside.values() if not box.finished]
            if self.publish_settings.policy == "all":
                raise ConsumerStalledError(f"{', '.join(slow)} of {self.node} did not read the last messages in time")
            for box in self._outside.values():
                if not box.finished:
                    box.close(account.CONSUMER_GONE)
            log.warning("%s did not read the last messages of %s", ", ".join(slow), self.node)

    def _settle_outside(self, stall_timeout_s: float) -> bool:
        """Wait for outside consumers as long as they go on reading; False where one stops for ``stall_timeout_s``."""
        unread = -1
        while not self._drop_everything:
            left = sum(len(b.waiting) + len(b.in_flight) + (not b.finished) for b in self._outside.values())
            if left == 0:
                return True
            if left == unread:
                return False
            unread = left
            self.changed.wait_for(
                lambda: self._drop_everything or all(b.finished for b in self._outside.values()), stall_timeout_s
            )
        raise Stop

    def close(self) -> None:
        """Close the sockets. What could not be sent is accounted for as such."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        else:
            self._close_sockets()

    # -- the I/O thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._flush()
            for socket, _ in self._poller.poll(TICK_MS):
                if socket == self._wake_read.fileno():
                    with contextlib.suppress(BlockingIOError):
                        self._wake_read.recv(4096)
                elif socket in (self._inside_socket, self._outside_socket):
                    self._receive_requests(socket)
                else:
                    self._receive_data(socket)
            while self._commands:
                self._commands.popleft()()
        self._flush()
        with self.changed:
            for outbox in [*self.outboxes.values(), *self._outside.values()]:
                outbox.close(account.UNSENT)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for socket in (self._inside_socket, self._outside_socket, *self._input_sockets.values()):
            if socket is not None:
                socket.close()
        self._wake_read.close()
        self._wake_write.close()

    def _flush(self) -> None:
        """Send whatever may be sent: acknowledgements upstream, messages and ends downstream."""
        with self.changed:
            acks, self._acks = self._acks, {}
            farewells, self._farewells = self._farewells, set()
        for name in acks.keys() & self._input_sockets.keys():
            credit, done = acks[name]
            self._input_sockets[name].send_multipart([wire.CREDIT, wire.encode_body(wire.Credit(credit, done))])
        for name in farewells & self._input_sockets.keys():
            self._input_sockets[name].send(wire.BYE)
        if self._inside_socket is not None:
            for outbox in self.outboxes.values():
                self._send(self._inside_socket, outbox)
        if self._outside_socket is not None:
            for outbox in list(self._outside.values()):
                self._send(self._outside_socket, outbox)
            self._probe()

    def _send(self, socket: zmq.Socket[Any], outbox: Outbox) -> None:
        while True:
            with self.changed:
                item = outbox.take(now_ns())
                peer = outbox.peer
                ending = item is None and outbox.ended is not None and not outbox.waiting and not outbox.end_sent
                if item is not None:
                    self.changed.notify_all()
            if peer is None:
                return
            if item is not None:
                link_seq, parcel = item
                link = wire.encode_link(link_seq, now_ns())
                sent = self._try_send(socket, [peer, wire.DATA, link, self.node.encode(), *parcel.frames], outbox)
            elif ending:
                outbox.end_sent = True
                body = wire.encode_body(wire.End(outbox.ended or ""))
                sent = self._try_send(socket, [peer, wire.END, body], outbox)
            else:
                return
            if not sent:
                return

    def _try_send(self, socket: zmq.Socket[Any], frames: list[Any], outbox: Outbox) -> bool:
        """Send to one consumer; False where it is gone, and then its losses are counted."""
        try:
            socket.send_multipart(frames, copy=False)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            with self.changed:
                if outbox.edge in self.outboxes:
                    outbox.lose_consumer()
                else:
                    self._forget_outside(outbox)
                self.changed.notify_all()
            return False
        return True

    def _probe(self) -> None:
        """Once a second, see whether the outside consumers are still there; it also tells them that we are."""
        now = now_ns()
        if now < self._next_probe_ns:
            return
        self._next_probe_ns = now + PROBE_INTERVAL_NS
        assert self._outside_socket is not None
        for peer, outbox in list(self._outside.items()):
            self._try_send(self._outside_socket, [peer, wire.PROBE], outbox)

    def _receive_requests(self, socket: zmq.Socket[Any]) -> None:
        while True:
            try:
                peer, verb, *body = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            except ValueError:
                self.malformed += 1
                continue
            try:
                if verb == wire.HELLO:
                    self._hello(socket, peer, wire.decode_body(verb, body))
                elif verb == wire.CREDIT:
                    self._credit(socket, peer, wire.decode_body(verb, body))
                elif verb == wire.BYE:
                    self._bye(peer)
                else:
                    raise wire.WireError(f"unknown verb {verb[:16]!r}")
            except wire.WireError as error:
                self.malformed += 1
                log.debug("%s: request ignored: %s", self.node, error)

    def _hello(self, socket: zmq.Socket[Any], peer: bytes, hello: wire.Hello) -> None:
        if socket is self._outside_socket:
            self._welcome_outside(peer, hello)
            return
        outbox = self.outboxes.get(f"{self.node} -> {hello.consumer}")
        if outbox is None:
            raise wire.WireError(f"no edge to {hello.consumer!r}")
        with self.changed:
            outbox.connect(peer, hello.credit, hello.incarnation)
            self.changed.notify_all()

    def _welcome_outside(self, peer: bytes, hello: wire.Hello) -> None:
        settings = self.publish_settings
        assert settings is not None
        assert self._outside_socket is not None
        if peer not in self._outside and len(self._outside) >= MAX_OUTSIDE_CONSUMERS:
            raise wire.WireError(f"more than {MAX_OUTSIDE_CONSUMERS} consumers")
        name = hello.consumer[:64] or "consumer"
        with self.changed:
            outbox = self._outside.get(peer)
            if outbox is None:
                taken = {box.edge for box in self._outside.values()} | {gone.edge for gone in self._left}
                edge = f"{self.node} -> {name}"
                number = 2
                while edge in taken or edge in self.outboxes:
                    edge, number = f"{self.node} -> {name}#{number}", number + 1
                outbox = self._outside[peer] = Outbox(edge, settings.policy, settings.queue)
                outbox.ended = self._ended_reason
            outbox.connect(peer, hello.credit, hello.incarnation)
            self.changed.notify_all()
        welcome = wire.Welcome(self.node, "", settings.policy)
        self._try_send(self._outside_socket, [peer, wire.WELCOME, wire.encode_body(welcome)], outbox)

    def _credit(self, socket: zmq.Socket[Any], peer: bytes, credit: wire.Credit) -> None:
        with self.changed:
            outbox = self._outbox_of(peer)
            if outbox is not None:
                outbox.acknowledge(credit.credit, credit.done)
                self.changed.notify_all()
                return
        if socket is self._outside_socket:
            # It knows us from before a restart: it has to introduce itself again.
            with contextlib.suppress(zmq.ZMQError):
                body = wire.encode_body(wire.Refused("say hello first"))
                socket.send_multipart([peer, wire.REFUSED, body])

    def _bye(self, peer: bytes) -> None:
        with self.changed:
            outbox = self._outbox_of(peer)
            if outbox is None:
                return
            if outbox.end_sent:
                outbox.end_acknowledged = True
            if peer in self._outside and not outbox.finished:
                self._forget_outside(outbox)
            self.changed.notify_all()

    def _outbox_of(self, peer: bytes) -> Outbox | None:
        if peer in self._outside:
            return self._outside[peer]
        return next((outbox for outbox in self.outboxes.values() if outbox.peer == peer), None)

    def _forget_outside(self, outbox: Outbox) -> None:
        """An outside consumer has left; its account stays."""
        peer = next((p for p, box in self._outside.items() if box is outbox), None)
        outbox.close(account.CONSUMER_GONE)
        if peer is not None:
            del self._outside[peer]
            self._losses += outbox.losses
            self._left.append(outbox.account())

    # -- inputs -------------------------------------------------------------------------------------------------------

    def _connect(self, link: InputLink, endpoint: str) -> None:
        socket = wire.consumer_socket(self._context)
        if link.curve and endpoint.startswith("tcp:"):
            assert self._keys is not None
            secure_client(socket, self._keys.for_client())
        socket.routing_id = f"{self.node}.{link.name}/{self._incarnation}/{time.monotonic_ns()}".encode()
        socket.connect(endpoint)
        credit = 1
        if link.policy == "all":
            # A synchroniser may have to see the next message to know that the one it holds is the nearest.
            credit = max(link.queue, 2 if len(self.inputs) > 1 else 1)
        hello = wire.Hello(f"{self.node}.{link.name}", credit, self._incarnation)
        socket.send_multipart([wire.HELLO, wire.encode_body(hello)])
        self._input_sockets[link.name] = socket
        self._poller.register(socket, zmq.POLLIN)

    def _reconnect(self, publisher: str, endpoint: str) -> None:
        for link in self.inputs.values():
            if link.publisher == publisher and link.name not in self._ended:
                self._disconnect(link)
                self._connect(link, endpoint)

    def _end_inputs_from(self, publisher: str) -> None:
        for link in self.inputs.values():
            if link.publisher == publisher and link.name not in self._ended:
                self._disconnect(link)
                self._arrive(InputEnded(link.name))

    def _disconnect(self, link: InputLink) -> None:
        """Take what has arrived, then close: the acknowledgements for it have nowhere to go."""
        socket = self._input_sockets.pop(link.name)
        self._receive_data(socket, link.name)
        self._poller.unregister(socket)
        socket.close()
        with self.changed:
            self._acks.pop(link.name, None)

    def _receive_data(self, socket: zmq.Socket[Any], name: str = "") -> None:
        name = name or next(key for key, value in self._input_sockets.items() if value is socket)
        while True:
            try:
                verb, *frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if verb.bytes == wire.DATA:
                self._data(name, frames)
            elif verb.bytes == wire.END:
                self._arrive(InputEnded(name))

    def _data(self, name: str, frames: list[zmq.Frame]) -> None:
        """Decode one message into the inbox. What is not a message of the input's type is counted and done with."""
        link = self.inputs[name]
        try:
            link_seq, sent_ns = wire.decode_link(frames[0].buffer if frames else b"")
        except wire.WireError:
            self.malformed += 1
            return
        try:
            message = decode([frame.buffer for frame in frames[2:]], max_bytes=wire.MAX_MESSAGE_BYTES)
            if not isinstance(message, link.type):
                raise CodecError(f"{type(message).__name__} where {link.type.__name__} is expected")
        except CodecError as error:
            self.malformed += 1
            log.warning("%s: a message from %s was malformed: %s", self.node, link.publisher, error)
            self.acknowledge(name, credit=1, done=[(link_seq, account.MALFORMED)])
            return
        self._arrive(Arrived(name, link_seq, message, sent_ns, now_ns()))

    def _arrive(self, item: Arrived | InputEnded) -> None:
        with self.changed:
            if isinstance(item, InputEnded):
                if item.input in self._ended:
                    return
                self._ended.add(item.input)
            self._inbox.append(item)
            self.changed.notify_all()

    # -- waking the I/O thread ----------------------------------------------------------------------------------------

    def _command(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        # A full pipe wakes as well; a closed one belongs to a thread that has ended.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b"\0")


def inproc_endpoint(node: str) -> str:
    """Where a node serves its neighbours in the same process."""
    return f"inproc://{node}"


def _hint(error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return "; is another run using it? Choose another `bind`"
    return ""
