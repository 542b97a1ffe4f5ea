"""What the compiled loops share: arrays of one kind."""

import numpy as np


def read_only(array: np.ndarray, dtype: type) -> np.ndarray:
    """A contiguous read-only view (a copy only where it must be).

    numba compiles a loop anew for writable arrays; with this it compiles once, whether an array came over a socket or
    from a neighbour, and never while a scan waits.
    """
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
