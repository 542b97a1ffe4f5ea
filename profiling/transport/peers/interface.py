"""What every transport's ``Sender`` and ``Receiver`` do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import zmq

QUEUE = 4  # messages that may be on their way, where a transport lets this be chosen


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """Where two peers meet. ``wire``: inproc, ipc or tcp. ``folder``: for sockets. ``endpoint``: the sender's, as it is
    told to the receiver. Peers of one process (inproc) share ``context``, ZeroMQ's, and the receiver has ``sender``."""

    wire: str
    folder: Path
    endpoint: str
    context: zmq.Context[Any]
    sender: Any = None


class Sender(Protocol):
    """Constructed with a :class:`Meeting`: listens there."""

    endpoint: str

    def send(self, payload: np.ndarray) -> None:
        """Send ``payload``, uint8, which nobody touches from then on. Waits for the receiver, and for room."""

    def close(self) -> None: ...


class Receiver(Protocol):
    """Constructed with a :class:`Meeting`: connects to its endpoint."""

    def receive(self) -> np.ndarray:
        """The next payload, uint8, waited for without limit."""

    def done(self) -> None:
        """The payload last received has been read and may go."""

    def close(self) -> None: ...
