"""What the compiled loops share: arrays of one kind, and a second core."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_second_core = ThreadPoolExecutor(1, thread_name_prefix="second-core")


def on_two_cores(work: Callable[[slice], None], size: int) -> None:
    """``work`` on both halves of ``range(size)`` at once: for compiled loops, which do not hold the GIL."""
    other = _second_core.submit(work, slice(size // 2, size))
    work(slice(0, size // 2))
    other.result()


def read_only(array: np.ndarray, dtype: type) -> np.ndarray:
    """A contiguous read-only view (a copy only where it must be).

    numba compiles a loop anew for writable arrays; with this it compiles once, whether an array came over a socket or
    from a neighbour, and never while a scan waits.
    """
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
