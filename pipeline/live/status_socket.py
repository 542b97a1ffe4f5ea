"""A run's status on a socket, for whoever looks: ``RUN/run/status.sock``.

One ZeroMQ PUB socket, one msgpack :class:`~pipeline.live.status.RunStatus` per message, twice a second. It is a
window, not a link: who does not read misses statuses, and costs the run nothing. The socket itself is in a folder of
its own that only its user may enter, and ``status.sock`` links to it: a run's folder may be deeper than the 107 bytes
that the name of a socket may have, or on a file system that has no sockets.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import zmq

from errors import UserError
from pipeline.live.observer import Observer
from pipeline.live.status import RunStatus

NAME = Path("run") / "status.sock"
UNREAD = 2  # statuses that may wait for one who is slow to read

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunStatus).decode


class StatusPublisher(Observer):
    """Publishes a run's status from ``folder`` (the run's, with ``run/`` in it) while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._link = folder / NAME

    def __enter__(self) -> StatusPublisher:
        self._folder = Path(tempfile.mkdtemp(prefix="rangecast-status-"))  # mode 0700
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.linger = 0
        self._socket.sndhwm = UNREAD
        self._socket.bind(f"ipc://{self._folder}/status")
        self._link.symlink_to(self._folder / "status")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._link.unlink(missing_ok=True)
        self._socket.close()
        self._context.term()
        shutil.rmtree(self._folder, ignore_errors=True)

    def on_status(self, status: RunStatus) -> None:
        self._socket.send(_encode(status), zmq.NOBLOCK)  # PUB never waits: without a reader it throws away


class StatusReader:
    """Reads the status of the run in ``folder`` while it is entered, from any process of the same user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> StatusReader:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.CONFLATE, 1)  # the newest alone matters
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(f"ipc://{(self._folder / NAME).resolve()}")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()
        self._context.term()

    def read(self, timeout_s: float) -> RunStatus | None:
        """The newest status that was not read yet; None where none comes in time."""
        if not self._socket.poll(round(timeout_s * 1000)):
            return None
        try:
            return _decode(self._socket.recv())
        except msgspec.ValidationError as error:
            raise UserError(f"{self._folder}: its run is of another version of Rangecast: {error}") from None


def is_alive(folder: Path) -> bool:
    """Whether a run in this folder publishes its status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str((folder / NAME).resolve()))
        except OSError:  # there is none, or the run was killed and has left it behind
            return False
    return True
