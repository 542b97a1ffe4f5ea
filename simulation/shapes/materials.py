"""What surfaces are made of, and reproducible noise for patterns that need no geometry.

How a material answers a laser is in :mod:`simulation.lidar.optics`; how it looks, in :mod:`simulation.camera.textures`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from simulation.murmur import mixed


class Material(IntEnum):
    """What a surface is made of. The value indexes the sensors' tables."""

    ASPHALT = 0
    PAINT_MARK = 1
    PAVING = 2
    GRASS = 3
    PLASTER = 4
    BRICK = 5
    ROOF = 6
    WOOD = 7
    FOLIAGE = 8
    BARK = 9
    METAL = 10
    RETRO = 11
    CAR_PAINT = 12
    GLASS = 13
    RUBBER = 14
    CLOTH = 15
    SKIN = 16
    GRAVEL = 17
    PARKING = 18
    LAMP = 19  # shines by itself with its rgb; to a laser it is a lens


BUILDING = 50  # the SemanticKITTI label whose panes are windows


def cell_noise(points: np.ndarray, cell_m: float) -> np.ndarray:
    """A reproducible value in 0..1 for the cube of ``cell_m`` in which each of ``points`` [N,3] lies: float32 [N]."""
    cells = np.floor(points / cell_m).astype(np.int64).astype(np.uint64)
    x, y, z = (cells * np.array([73856093, 19349663, 83492791], np.uint64)).T
    return hash_unit(x ^ y ^ z)


def hash_unit(keys: np.ndarray) -> np.ndarray:
    """Integers spread evenly over 0..1: float32, same shape."""
    low = (keys.astype(np.uint64) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return (mixed(low) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)
