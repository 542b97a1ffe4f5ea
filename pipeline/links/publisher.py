"""A node's output: an outbox for each consumer, and what carries it: straight to the inbox of a neighbour in the same
process, by a socket to the graph's other processes, by another to consumers outside."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Container
from typing import Any

import zmq

from errors import UserError
from pipeline import account
from pipeline.account import EdgeAccount, Loss
from pipeline.clock import now_ns
from pipeline.codec import encode, seal
from pipeline.control import OutputSpec, PublishSpec
from pipeline.links import wire
from pipeline.links.exchange import Exchange
from pipeline.links.handover import Handover
from pipeline.links.outbox import Outbox, Parcel
from pipeline.links.security import RunKeys, secure_server
from pipeline.messages import Message

PROBE_INTERVAL_NS = 1_000_000_000
LET_GO_S = 0.01
MAX_OUTSIDE_CONSUMERS = 64

log = logging.getLogger(__name__)


class ConsumerStalledError(Exception):
    """A consumer outside the graph, served without loss, does not read any more."""


class Publisher:
    """Outboxes, handovers and sockets. Each section below says whose thread its methods are for."""

    def __init__(
        self,
        node: str,
        exchange: Exchange,
        context: zmq.Context[Any],
        *,
        outputs: list[OutputSpec],
        neighbours: Container[str],
        outside: PublishSpec | None,
        keys: RunKeys | None,
    ) -> None:
        self.node = node
        self.outside = outside
        self.malformed = 0
        self.sockets: list[zmq.Socket[Any]] = []
        self._exchange = exchange
        self._context = context
        self._keys = keys
        boxes = {out.consumer: Outbox(_edge(node, out.consumer), out.policy, out.queue) for out in outputs}
        self.handovers = {
            consumer: Handover(box, exchange) for consumer, box in boxes.items() if _node_of(consumer) in neighbours
        }
        self._inside_boxes = {consumer: box for consumer, box in boxes.items() if consumer not in self.handovers}
        self._outside_boxes: dict[bytes, Outbox] = {}
        self._left: list[EdgeAccount] = []
        self._losses: list[Loss] = []
        self._inside: zmq.Socket[Any] | None = None
        self._outside: zmq.Socket[Any] | None = None
        self._ended_reason: str | None = None
        self._next_probe_ns = 0

    # -- set-up -------------------------------------------------------------------------------------------------------

    def bind(self, endpoint: str, *, curve: bool) -> str | None:
        """Bind for the graph's other processes, and for consumers outside; returns the endpoint of the former, its
        wildcard port filled in, None where there are none. Raises :class:`errors.UserError`.
        """
        bound = None
        if self._inside_boxes:
            self._inside, bound = self._bind(endpoint, curve)
        if self.outside is not None:
            self._outside, _ = self._bind(self.outside.bind, self.outside.curve)
        return bound

    def _bind(self, endpoint: str, curve: bool) -> tuple[zmq.Socket[Any], str]:
        socket = wire.publisher_socket(self._context)
        self.sockets.append(socket)
        if curve:
            assert self._keys is not None
            secure_server(socket, self._keys)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            hint = "; is another run using it? Choose another `bind`" if error.errno == zmq.EADDRINUSE else ""
            raise UserError(f"node {self.node}: cannot bind {endpoint}: {error.strerror.lower()}{hint}") from None
        return socket, bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

    # -- control thread -----------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether every consumer of the graph is there, and as many outside as are waited for."""
        with self._exchange.changed:
            inside = all(box.peer is not None or box.gone for box in self._graph_boxes())
            return inside and len(self._outside_boxes) >= (self.outside.wait_for if self.outside else 0)

    def consumer_died(self, node: str, *, for_good: bool) -> None:
        """A consuming node died; what it had in hand is lost. ``for_good``: nobody will take its place."""
        with self._exchange.changed:
            for consumer, box in self._inside_boxes.items():
                if _node_of(consumer) != node:
                    continue
                if for_good:
                    box.close(account.CONSUMER_GONE)
                else:
                    box.lose_consumer()
            self._exchange.changed.notify_all()

    def accounts(self) -> tuple[list[EdgeAccount], list[Loss]]:
        """Every edge's account, and the losses since the last call."""
        with self._exchange.changed:
            losses, self._losses = self._losses, []
            for box in self._boxes():
                losses += box.losses
                box.losses = []
            return [box.account() for box in self._boxes()] + self._left, losses

    def _graph_boxes(self) -> list[Outbox]:
        return [*(handover.box for handover in self.handovers.values()), *self._inside_boxes.values()]

    def _boxes(self) -> list[Outbox]:
        return [*self._graph_boxes(), *self._outside_boxes.values()]

    # -- compute thread -----------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> None:
        """Offer ``message`` to every consumer. Under ``all`` this waits until each can take it.

        Raises :class:`Stop`, or :class:`ConsumerStalledError` where a consumer outside the graph stopped reading.
        """
        sealed = [seal(message) for _ in self.handovers]  # to each his own: there may be lists and dicts in it
        parcel = Parcel(message, encode(message) if self.sockets else [], now_ns())
        with self._exchange.changed:
            for handover, own in zip(self.handovers.values(), sealed, strict=True):
                self._exchange.wait(lambda box=handover.box: not box.full)  # type: ignore[misc]
                handover.box.put(Parcel(own, [], parcel.published_ns))
                handover.move_on()
            for box in self._inside_boxes.values():
                self._exchange.wait(lambda box=box: not box.full)  # type: ignore[misc]
                box.put(parcel)
            for box in list(self._outside_boxes.values()):
                self._wait_for_outsider(box)
                box.put(parcel)
        if self.sockets:
            self._exchange.wake()

    def _wait_for_outsider(self, box: Outbox) -> None:
        assert self.outside is not None
        if not self._exchange.wait(lambda: not box.full, self.outside.stall_timeout_s):
            raise ConsumerStalledError(
                f"{box.consumer} of {self.node} has not read for {self.outside.stall_timeout_s:g} s, and the policy "
                "`all` waits for it; publish with policy `latest` if it may miss frames"
            )

    def let_go(self) -> None:
        """Stand back until what may be sent has been sent: reading the next record would hold up the I/O thread."""
        with self._exchange.changed:
            self._exchange.wait(lambda: not any(box.sendable for box in self._boxes()), LET_GO_S)

    def end(self, reason: str) -> None:
        """Pass on the end of the stream, and wait until every consumer has taken note of it.

        A consumer outside the graph is waited for as long as it goes on reading; raises
        :class:`ConsumerStalledError` under ``all`` where it stops, and :class:`Stop`.
        """
        with self._exchange.changed:
            self._ended_reason = reason
            for box in self._boxes():
                box.ended = reason
        self._exchange.wake()
        with self._exchange.changed:
            self._exchange.wait(lambda: all(box.finished for box in self._graph_boxes()))
            if self.outside is not None:
                self._settle_outside(self.outside)

    def _settle_outside(self, settings: PublishSpec) -> None:
        unread = None
        while unread != (unread := sum(box.unfinished for box in self._outside_boxes.values())):
            done = lambda: all(box.finished for box in self._outside_boxes.values())  # noqa: E731
            if self._exchange.wait(done, settings.stall_timeout_s):
                return
        slow = [box for box in self._outside_boxes.values() if not box.finished]
        names = ", ".join(box.consumer for box in slow)
        if settings.policy == "all":
            raise ConsumerStalledError(f"{names} of {self.node} did not read the last messages in time")
        for box in slow:
            box.close(account.CONSUMER_GONE)
        log.warning("%s did not read the last messages of %s", names, self.node)

    # -- I/O thread: sending ------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send whatever may be sent, and drop what has passed its deadline."""
        with self._exchange.changed:
            for handover in self.handovers.values():
                handover.move_on()
        if self._inside is not None:
            for box in self._inside_boxes.values():
                self._send(self._inside, box)
        if self._outside is not None:
            for box in list(self._outside_boxes.values()):
                self._send(self._outside, box)
            self._probe(self._outside)

    def _send(self, socket: zmq.Socket[Any], box: Outbox) -> None:
        while True:
            with self._exchange.changed:
                peer, item = box.peer, box.take(now_ns())
                ending = item is None and box.must_end
                box.end_sent |= ending
                if item is not None:
                    self._exchange.changed.notify_all()
            if peer is None:
                return
            if item is not None:
                link_seq, parcel = item
                link = wire.encode_link(wire.Link(link_seq, parcel.published_ns, now_ns()))
                frames = [peer, wire.DATA, link, self.node.encode(), *parcel.frames]
            elif ending:
                frames = [peer, wire.END, wire.encode_body(wire.End(box.ended or ""))]
            else:
                return
            if not self._try_send(socket, frames, box):
                return

    def _try_send(self, socket: zmq.Socket[Any], frames: list[Any], box: Outbox) -> bool:
        """Send to one consumer; False where it is gone, and then its losses are counted."""
        try:
            socket.send_multipart(frames, copy=False)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            with self._exchange.changed:
                if box in self._inside_boxes.values():
                    box.lose_consumer()
                else:
                    self._forget(box)
                self._exchange.changed.notify_all()
            return False
        return True

    def _probe(self, socket: zmq.Socket[Any]) -> None:
        """Once a second, see whether the outside consumers are still there; it also tells them that we are."""
        now = now_ns()
        if now < self._next_probe_ns:
            return
        self._next_probe_ns = now + PROBE_INTERVAL_NS
        for peer, box in list(self._outside_boxes.items()):
            self._try_send(socket, [peer, wire.PROBE], box)

    # -- I/O thread: requests -----------------------------------------------------------------------------------------

    def receive(self, socket: zmq.Socket[Any]) -> None:
        """Take in what consumers say. What is not of the protocol is counted and ignored."""
        while True:
            try:
                peer, *request = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._obey(socket, peer, request)
            except wire.WireError as error:
                self.malformed += 1
                log.debug("%s: request ignored: %s", self.node, error)

    def _obey(self, socket: zmq.Socket[Any], peer: bytes, request: list[bytes]) -> None:
        if not request:
            raise wire.WireError("empty")
        verb, *body = request
        if verb == wire.HELLO and socket is self._outside:
            self._welcome_outsider(socket, peer, wire.decode_body(verb, body))
        elif verb == wire.HELLO:
            self._welcome(peer, wire.decode_body(verb, body))
        elif verb == wire.CREDIT:
            self._credit(socket, peer, wire.decode_body(verb, body))
        elif verb == wire.BYE:
            self._bye(peer)
        else:
            raise wire.WireError(f"unknown verb {verb[:16]!r}")

    def _welcome(self, peer: bytes, hello: wire.Hello) -> None:
        box = self._inside_boxes.get(hello.consumer)
        if box is None:
            raise wire.WireError(f"no edge to {hello.consumer!r}")
        with self._exchange.changed:
            box.connect(peer, hello.credit, hello.incarnation)
            self._exchange.changed.notify_all()

    def _welcome_outsider(self, socket: zmq.Socket[Any], peer: bytes, hello: wire.Hello) -> None:
        assert self.outside is not None
        if peer not in self._outside_boxes and len(self._outside_boxes) >= MAX_OUTSIDE_CONSUMERS:
            raise wire.WireError(f"more than {MAX_OUTSIDE_CONSUMERS} consumers")
        with self._exchange.changed:
            box = self._outside_boxes.get(peer)
            if box is None:
                edge = self._free_edge_name(hello.consumer[:64] or "consumer")
                box = self._outside_boxes[peer] = Outbox(edge, self.outside.policy, self.outside.queue)
                box.ended = self._ended_reason
            box.connect(peer, hello.credit, hello.incarnation)
            self._exchange.changed.notify_all()
        welcome = wire.Welcome(self.node, self.outside.policy)
        self._try_send(socket, [peer, wire.WELCOME, wire.encode_body(welcome)], box)

    def _free_edge_name(self, consumer: str) -> str:
        """Consumers may have the same name; their accounts may not."""
        taken = {box.edge for box in self._boxes()} | {gone.edge for gone in self._left}
        edge, number = _edge(self.node, consumer), 2
        while edge in taken:
            edge, number = _edge(self.node, f"{consumer}#{number}"), number + 1
        return edge

    def _credit(self, socket: zmq.Socket[Any], peer: bytes, credit: wire.Credit) -> None:
        with self._exchange.changed:
            box = self._box_of(peer)
            if box is not None:
                box.acknowledge(credit.credit, credit.done)
                self._exchange.changed.notify_all()
                return
        if socket is self._outside:
            # It knows us from before a restart: it has to introduce itself again.
            with contextlib.suppress(zmq.ZMQError):
                socket.send_multipart([peer, wire.REFUSED, wire.encode_body(wire.Refused("say hello first"))])

    def _bye(self, peer: bytes) -> None:
        with self._exchange.changed:
            box = self._box_of(peer)
            if box is None:
                return
            box.end_acknowledged |= box.end_sent
            if peer in self._outside_boxes and not box.finished:
                self._forget(box)
            self._exchange.changed.notify_all()

    def _box_of(self, peer: bytes) -> Outbox | None:
        return next((box for box in self._boxes() if box.peer == peer), None)

    def _forget(self, box: Outbox) -> None:
        """An outside consumer has left; its account stays."""
        box.close(account.CONSUMER_GONE)
        self._outside_boxes = {peer: other for peer, other in self._outside_boxes.items() if other is not box}
        self._losses += box.losses
        self._left.append(box.account())

    def close(self) -> None:
        """Close the sockets. What could not be sent is accounted for as such."""
        with self._exchange.changed:
            for box in self._boxes():
                box.close(account.UNSENT)
        for socket in self.sockets:
            socket.close()


def _edge(node: str, consumer: str) -> str:
    return f"{node} -> {consumer}"


def _node_of(consumer: str) -> str:
    return consumer.partition(".")[0]
