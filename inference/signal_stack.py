"""What OpenVINO does to a thread's signal stack, undone."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import ClassVar

_DISABLED = 2  # SS_DISABLE


class _Stack(ctypes.Structure):
    """``stack_t`` of sigaltstack(2) on Linux."""

    _fields_: ClassVar = [("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextlib.contextmanager
def keep_signal_stack() -> Iterator[None]:
    """Give this thread its signal stack back after the body.

    On a CPU with AMX, OpenVINO gives the thread that loads its CPU plugin a signal stack, and unmaps it when the plugin
    is unloaded: by another thread, if that was the last to use it. The next signal to the first thread, a Ctrl-C, is
    then a segmentation fault. It needs no such stack: the kernel only demands that one that is there be large enough.
    """
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before if before.pointer else _Stack(None, _DISABLED, 0)), None)
