"""What a publisher (ROUTER) and a consumer (DEALER) say to each other on one link.

Consumer to publisher::

    HELLO  {consumer, credit, incarnation}     I am here and can take `credit` messages
    CREDIT {credit, done: [[link_seq, outcome], …]}   I can take more; these are done with, and how
    BYE                                        I want no more (also the answer to END)

Publisher to consumer::

    WELCOME {publisher, policy}
    DATA   link_seq, published_ns, sent_ns | topic | message header | array bytes …
    END    {reason}                            nothing follows; needs no credit
    PROBE                                      are you there? (no answer wanted)
    REFUSED {reason}

The first frame is always the verb. Bodies are msgpack. Whatever does not parse is counted and ignored: a stranger on
a socket cannot stop a run.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import zmq

HELLO, CREDIT, BYE = b"HELLO", b"CREDIT", b"BYE"
WELCOME, DATA, END, PROBE, REFUSED = b"WELCOME", b"DATA", b"END", b"PROBE", b"REFUSED"

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
MAX_REQUEST_BYTES = 1024 * 1024

# A scan has 2 MB. With the kernel's usual 208 kB both ends would take turns ten times a message; more than the system
# allows (net.core.wmem_max) is cut by the kernel without harm.
KERNEL_BUFFER_BYTES = 4 * 1024 * 1024

_LINK = struct.Struct("<QQQ")


class Link(NamedTuple):
    """The second frame of DATA: the message's number on this link, when it was offered and when it left, host time."""

    seq: int
    published_ns: int
    sent_ns: int


class Hello(msgspec.Struct, frozen=True):
    """A consumer introduces itself. ``incarnation`` tells a restarted consumer from the one that died."""

    consumer: str
    credit: int
    incarnation: int = 0


class Welcome(msgspec.Struct, frozen=True):
    """The publisher has the consumer on its list."""

    publisher: str
    policy: str


class Credit(msgspec.Struct, frozen=True):
    """Credit for more messages, and what became of earlier ones: ``(link_seq, outcome)``, see ``Outcome``."""

    credit: int
    done: list[tuple[int, str]] = []


class End(msgspec.Struct, frozen=True):
    """The stream is over; ``reason`` is ``finished``, or why it ended early."""

    reason: str


class Refused(msgspec.Struct, frozen=True):
    """The publisher does not serve this consumer."""

    reason: str


class WireError(ValueError):
    """Frames that are not of this protocol."""


_encoder = msgspec.msgpack.Encoder()
_hello = msgspec.msgpack.Decoder(Hello)
_credit = msgspec.msgpack.Decoder(Credit)
_end = msgspec.msgpack.Decoder(End)
_refused = msgspec.msgpack.Decoder(Refused)
_DECODERS: dict[bytes, msgspec.msgpack.Decoder[Any]] = {HELLO: _hello, CREDIT: _credit, END: _end, REFUSED: _refused}


def encode_body(body: msgspec.Struct) -> bytes:
    """The msgpack body of any verb but DATA."""
    return _encoder.encode(body)


def decode_body(verb: bytes, frames: Sequence[Any]) -> Any:
    """The body of ``verb`` as its struct. Raises :class:`WireError`."""
    decoder = _DECODERS.get(verb)
    if decoder is None or len(frames) != 1:
        raise WireError(f"unexpected {verb[:16]!r} with {len(frames)} frames")
    try:
        return decoder.decode(frames[0])
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"{verb.decode()}: {error}") from None


def encode_link(link: Link) -> bytes:
    """The second frame of DATA."""
    return _LINK.pack(*link)


def decode_link(frame: Any) -> Link:
    """Raises :class:`WireError`."""
    try:
        return Link(*_LINK.unpack(frame))
    except struct.error as error:
        raise WireError(f"DATA: {error}") from None


def publisher_socket(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A ROUTER that buffers without limit (credit is the limit), refuses long requests, and reports unknown peers."""
    socket = context.socket(zmq.ROUTER)
    socket.linger = 0
    socket.sndhwm = 0
    socket.rcvhwm = 0
    socket.router_mandatory = True
    socket.sndbuf = KERNEL_BUFFER_BYTES
    socket.maxmsgsize = MAX_REQUEST_BYTES
    return socket


def consumer_socket(context: zmq.Context[Any]) -> zmq.Socket[Any]:
    """A DEALER that refuses any frame larger than a message may be."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.sndhwm = 0
    socket.rcvhwm = 0
    socket.maxmsgsize = MAX_MESSAGE_BYTES
    socket.rcvbuf = KERNEL_BUFFER_BYTES
    socket.reconnect_ivl = 20
    socket.reconnect_ivl_max = 500
    return socket
