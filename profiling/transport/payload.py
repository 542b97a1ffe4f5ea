"""What is sent: a new array for each message, written just before, and read to its last byte where it arrives."""

from __future__ import annotations

import numpy as np

SIZE_UNIT_BYTES = 8


class DamagedPayloadError(Exception):
    """What arrived is not what was sent."""


def fresh(size_bytes: int, number: int) -> np.ndarray:
    """``[size_bytes]`` uint8, newly allocated and written: content differs from message to message.

    ``size_bytes`` is a multiple of 8. The allocator may give memory again that an earlier message had, as it does in a
    pipeline.
    """
    return np.full(size_bytes // SIZE_UNIT_BYTES, number, np.uint64).view(np.uint8)


def read_all(payload: np.ndarray) -> int:
    """Read every byte; returns the number. Raises :class:`DamagedPayloadError` where they are not as sent."""
    words = payload.view(np.uint64)
    number = int(words[0])
    if int(words.sum(dtype=np.uint64)) != number * len(words) % 2**64:
        raise DamagedPayloadError(f"message {number} of {payload.nbytes} bytes arrived with other bytes than were sent")
    return number
