"""Take messages from a running graph, from another process: the downstream side of a node's ``publish`` endpoint.

::

    with Consumer("ipc:///tmp/fused.sock") as fused_frames:
        for frame in fused_frames:
            print(frame.header.name, frame.labels)
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zmq

from pipeline import account
from pipeline.clock import now_ns
from pipeline.codec import decode
from pipeline.links import wire
from pipeline.links.security import read_client_keys, secure_client
from pipeline.messages import Message

PUBLISHER_SILENT_S = 5.0


class Consumer:
    """Iterates over a node's messages until its stream ends.

    The publisher decides the policy. Under ``all`` it waits for this consumer: a message counts as taken when the next
    one is asked for. Under ``latest`` a slow consumer gets the newest.

    ``keys``: the key file of a run that publishes with CURVE (``<out>/<node>.key``). ``connect_timeout_s`` bounds the
    wait for the publisher at the beginning (:class:`TimeoutError`; also where the key is not accepted: a server does
    not talk to strangers), None waits for ever. A publisher that falls silent later raises :class:`ConnectionError`.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        name: str = "",
        keys: Path | None = None,
        credit: int = 4,
        connect_timeout_s: float | None = 30.0,
    ) -> None:
        self.endpoint = endpoint
        self.malformed = 0
        self._name = name or f"consumer-{os.getpid()}"
        self._credit = credit
        self._connect_timeout_s = connect_timeout_s
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = wire.consumer_socket(self._context)
        if keys is not None:
            secure_client(self._socket, read_client_keys(keys))
        self._socket.connect(endpoint)
        self._say_hello()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        self._await_welcome()
        while True:
            verb, frames = self._receive(PUBLISHER_SILENT_S)
            if verb == wire.END:
                self._socket.send(wire.BYE)
                return
            if verb == wire.REFUSED:
                self._say_hello()  # the publisher was restarted and does not know us
            elif verb == wire.DATA:
                yield from self._take(frames)

    def close(self) -> None:
        """Say good-bye and close. The publisher stops counting on this consumer."""
        if self._socket.closed:
            return
        self._socket.linger = 200
        with contextlib.suppress(zmq.Again):  # nobody is there to hear it
            self._socket.send(wire.BYE, zmq.NOBLOCK)
        self._socket.close()
        self._context.term()

    def _take(self, frames: list[zmq.Frame]) -> Iterator[Message]:
        try:
            link_seq = wire.decode_link(frames[0].buffer if frames else b"").seq
        except wire.WireError:
            self.malformed += 1
            return
        try:
            message = decode([frame.buffer for frame in frames[2:]], max_bytes=wire.MAX_MESSAGE_BYTES)
        except ValueError:
            self.malformed += 1
            self._done(link_seq, account.MALFORMED)
            return
        yield message
        self._done(link_seq, account.USED)

    def _done(self, link_seq: int, outcome: str) -> None:
        self._socket.send_multipart([wire.CREDIT, wire.encode_body(wire.Credit(1, [(link_seq, outcome)]))])

    def _say_hello(self) -> None:
        hello = wire.Hello(self._name, self._credit, incarnation=now_ns())
        self._socket.send_multipart([wire.HELLO, wire.encode_body(hello)])

    def _await_welcome(self) -> None:
        deadline = None if self._connect_timeout_s is None else time.monotonic() + self._connect_timeout_s
        while not self._socket.poll(100):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.endpoint}: no answer within {self._connect_timeout_s:g} s; is the run up, is this its"
                    " `publish` endpoint, and if it uses CURVE, are these its keys?"
                )

    def _receive(self, timeout_s: float) -> tuple[bytes, list[zmq.Frame]]:
        """The next verb and its frames. The publisher says something at least once a second."""
        if not self._socket.poll(round(timeout_s * 1e3)):
            raise ConnectionError(f"{self.endpoint}: the publisher has been silent for {timeout_s:g} s")
        verb, *frames = self._socket.recv_multipart(copy=False)
        return verb.bytes, frames
