"""No process outlives its supervisor, not even one that is killed with SIGKILL.

Two independent means. The kernel is asked to send SIGKILL when the parent dies (Linux); and each worker holds the read
end of a pipe (its standard input) whose write end only the supervisor has: end of file means that the supervisor is
gone, on every POSIX system. The first works even where a node hangs in C code that holds the interpreter lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """End this process as soon as process ``parent_pid`` is gone. Standard input must be a pipe from it."""
    if sys.platform.startswith("linux"):
        # prctl may be forbidden in a sandbox; the pipe serves there.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)  # it went before the request was in place
    threading.Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)
