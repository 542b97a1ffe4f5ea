"""What the supervisor and the worker processes say to each other. Their own sockets; never dropped."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import zmq

from pipeline.account import NodeBeat
from pipeline.clock import PlaybackClock
from pipeline.links.security import RunKeys

# -- what a worker is given on its standard input ---------------------------------------------------------------------


class InputSpec(msgspec.Struct, frozen=True):
    """One input of a node and the edge behind it."""

    name: str
    publisher: str
    policy: Literal["latest", "all"]
    queue: int
    curve: bool
    tolerance_ns: int
    offset_ns: int
    period_ns: int
    publisher_is_source: bool


class OutputSpec(msgspec.Struct, frozen=True):
    """One edge of a node's output."""

    consumer: str
    policy: Literal["latest", "all"]
    queue: int


class PublishSpec(msgspec.Struct, frozen=True):
    """The node's output as it is open to consumers outside the graph."""

    bind: str
    policy: Literal["latest", "all"]
    queue: int
    wait_for: int
    stall_timeout_s: float
    curve: bool


class NodeTask(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker has to know about one node."""

    name: str
    type: str
    params: dict[str, Any]
    endpoint: str
    curve: bool
    inputs: list[InputSpec]
    outputs: list[OutputSpec]
    publish: PublishSpec | None
    sync_timeout_ns: int | None
    deadline_ns: int | None
    frame_limit: int | None
    resume_after: int | None
    trace: str | None


class WorkerTask(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process: its nodes and how to reach the supervisor."""

    process: str
    incarnation: int
    spawned_ns: int
    supervisor_pid: int
    control_endpoint: str
    python_path: list[str]
    keys: RunKeys | None
    nodes: list[NodeTask]


# -- worker to supervisor ---------------------------------------------------------------------------------------------


class Bound(msgspec.Struct, tag=True, frozen=True):
    """The nodes' outputs listen at these endpoints."""

    endpoints: dict[str, str]


class Ready(msgspec.Struct, tag=True, frozen=True):
    """A node is open and its consumers are there. ``first_stamp_ns``: of a source with recorded data."""

    node: str
    first_stamp_ns: int | None


class Failed(msgspec.Struct, tag=True, frozen=True):
    """A node cannot go on. ``kind``: ``user`` (a user's mistake), ``stalled`` (an outside consumer), ``crash``."""

    node: str
    text: str
    kind: Literal["user", "stalled", "crash"]


class Beat(msgspec.Struct, tag=True, frozen=True):
    """A heartbeat with what is new."""

    nodes: list[NodeBeat]


class Done(msgspec.Struct, tag=True, frozen=True):
    """A node has ended well. Its last beat came before."""

    node: str


class Said(msgspec.Struct, tag=True, frozen=True):
    """A node speaks to the user."""

    node: str
    level: str
    text: str


FromWorker = Bound | Ready | Failed | Beat | Done | Said

# -- supervisor to worker ---------------------------------------------------------------------------------------------


class Connect(msgspec.Struct, tag=True, frozen=True):
    """Where every publisher listens, and which have ended already."""

    endpoints: dict[str, str]
    finished: list[str]


class Start(msgspec.Struct, tag=True, frozen=True):
    """Everybody is ready; this is the time."""

    clock: PlaybackClock


class StopSources(msgspec.Struct, tag=True, frozen=True):
    """Sources end their streams; the graph drains."""


class PeerRestarted(msgspec.Struct, tag=True, frozen=True):
    """A publisher listens at a new endpoint."""

    node: str
    endpoint: str


class PeerGone(msgspec.Struct, tag=True, frozen=True):
    """A node died. ``for_good``: it will not be restarted."""

    node: str
    for_good: bool


class Quit(msgspec.Struct, tag=True, frozen=True):
    """End at once; what is still waiting is accounted for as unsent."""


ToWorker = Connect | Start | StopSources | PeerRestarted | PeerGone | Quit

from_worker_decoder: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
to_worker_decoder: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
encode = msgspec.msgpack.Encoder().encode


def control_socket(context: zmq.Context[Any], kind: int) -> zmq.Socket[Any]:
    """A control socket: no limit on what waits, nothing kept after it is closed."""
    socket = context.socket(kind)
    socket.linger = 1000
    socket.sndhwm = 0
    socket.rcvhwm = 0
    return socket
