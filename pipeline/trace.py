"""The trace of a run: what every node did with every message, and when. Off unless a folder is given for it.

Each incarnation of a node writes a file of its own, JSON lines: :class:`Opening`, then a :class:`Call` per message.
Files and not heartbeats, so that a run of any length costs neither the supervisor nor the control sockets anything,
and what a process had written before it was killed is still there. All times are host monotonic nanoseconds, the same
clock for every process of one machine.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Opening(msgspec.Struct, frozen=True, kw_only=True, tag="opening"):
    """How a node came to be: its process was started, had its modules imported, its outputs bound; the node was opened,
    and when all nodes were, messages began to flow."""

    node: str
    process: str
    pid: int
    incarnation: int
    spawned_ns: int
    imported_ns: int
    bound_ns: int
    opening_ns: int
    opened_ns: int
    started_ns: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a call, named by the source's number of its message; for the times see :class:`messages.Hop`."""

    input: str
    publisher: str
    source: str
    seq: int
    published_ns: int
    sent_ns: int
    received_ns: int


class Call(msgspec.Struct, frozen=True, kw_only=True, tag="call"):
    """One call of a node's code, named by its (primary) input's source and number.

    ``completed_by``: the input that came last, "" of a source. ``busy_ns``: how long the node's code ran; a source
    reads ahead, so this is more than from start to finish. ``failed``: the code raised, nothing was published.
    """

    source: str
    seq: int
    name: str
    due_ns: int
    inputs: tuple[Taken, ...]
    completed_by: str
    started_ns: int
    finished_ns: int
    busy_ns: int
    failed: bool = False


class NodeTrace(msgspec.Struct, frozen=True):
    """All that one node has written, over its incarnations."""

    openings: list[Opening]
    calls: list[Call]


_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Opening | Call] = msgspec.json.Decoder(Opening | Call)


class TraceWriter:
    """Appends records to one node's file."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("wb", buffering=1 << 16)  # noqa: SIM115 - closed with the node

    def write(self, record: Opening | Call) -> None:
        self._file.write(_encode(record) + b"\n")

    def flush(self) -> None:
        """To the system, so that it is there even if this process is killed."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def trace_path(folder: Path, node: str, incarnation: int) -> Path:
    """Where an incarnation of a node writes."""
    return folder / f"{node}.{incarnation}.jsonl"


def read_trace(folder: Path) -> dict[str, NodeTrace]:
    """What the nodes of a run wrote to ``folder``, by node. A last line that a kill cut short is left out."""
    nodes: dict[str, NodeTrace] = {}
    for path in sorted(folder.glob("*.jsonl")):
        node = path.name.rsplit(".", 2)[0]
        trace = nodes.setdefault(node, NodeTrace([], []))
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                record = _decoder.decode(line)
                if isinstance(record, Opening):
                    trace.openings.append(record)
                else:
                    trace.calls.append(record)
    return nodes
