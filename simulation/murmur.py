"""The one hash of everything that is random in space: the finaliser of MurmurHash3, 32 bits (Appleby 2011)."""

from __future__ import annotations

import numba
import numpy as np


@numba.vectorize(["uint32(uint32)"], cache=True)
def mixed(key):  # pragma: no cover - compiled
    """Unrelated numbers for keys that follow each other: uint32 to uint32, a number in compiled code or an array."""
    key = np.uint32((key ^ (key >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    key = np.uint32((key ^ (key >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return key ^ (key >> np.uint32(16))
