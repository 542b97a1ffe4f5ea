"""What a node's I/O thread and its compute thread share: one lock, one way to wait, one way to wake."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Stop(Exception):  # noqa: N818 - an order, not an error
    """The node is told to end at once."""


class Exchange:
    """``changed`` guards everything that both threads see, and is notified when any of it changes."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._aborted = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def wait(self, condition: Callable[[], object], timeout_s: float | None = None) -> bool:
        """Wait until ``condition`` holds; whether it does. Call with ``changed`` held. Raises :class:`Stop`."""
        held = self.changed.wait_for(lambda: self._aborted or condition(), timeout_s)
        if self._aborted:
            raise Stop
        return bool(held)

    def abort(self) -> None:
        """Make every :meth:`wait`, present and to come, raise :class:`Stop`."""
        with self.changed:
            self._aborted = True
            self.changed.notify_all()

    def wake(self) -> None:
        """Make the I/O thread look round: there is something to send."""
        # A full pipe wakes as well; a closed one belongs to a thread that has ended.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b"\0")

    def wake_descriptor(self) -> int:
        """What the I/O thread polls."""
        return self._wake_read.fileno()

    def take_wakes(self) -> None:
        """The I/O thread has noticed."""
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(4096)

    def close(self) -> None:
        """Nobody will wake anybody any more."""
        self._wake_read.close()
        self._wake_write.close()
