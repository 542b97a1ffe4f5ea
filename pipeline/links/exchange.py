"""What the threads of a node's links share: one lock, one way to wait, one way to wake."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Stop(Exception):  # noqa: N818 - an order, not an error
    """The node is told to end at once."""


class Exchange:
    """``changed`` and ``arrived`` guard, with the same lock, everything that several threads see. ``arrived`` is
    notified when the inbox has something new, ``changed`` when anything else is: who waits for a message does not wake
    for an acknowledgement.
    """

    def __init__(self) -> None:
        lock = threading.RLock()
        self.changed = threading.Condition(lock)
        self.arrived = threading.Condition(lock)
        self._aborted = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def wait(self, condition: Callable[[], object], timeout_s: float | None = None) -> bool:
        """Wait until ``condition`` holds; whether it does. Call with the lock held. Raises :class:`Stop`."""
        return self._wait(self.changed, condition, timeout_s)

    def wait_for_arrival(self, condition: Callable[[], object], timeout_s: float | None) -> bool:
        """The same for what is in the inbox."""
        return self._wait(self.arrived, condition, timeout_s)

    def _wait(self, on: threading.Condition, condition: Callable[[], object], timeout_s: float | None) -> bool:
        held = on.wait_for(lambda: self._aborted or condition(), timeout_s)
        if self._aborted:
            raise Stop
        return bool(held)

    def abort(self) -> None:
        """Make every wait, present and to come, raise :class:`Stop`."""
        with self.changed:
            self._aborted = True
            self.changed.notify_all()
            self.arrived.notify_all()

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
