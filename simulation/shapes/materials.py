"""How surfaces answer a laser and sunlight: remission, drop-out, roughness, and patterns that need no geometry.

The values are typical of an HDL-64E's calibrated remission in a street (0..1) and were set by hand.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Material(IntEnum):
    """What a surface is made of. The value indexes the tables below."""

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


# Columns: mean remission, spread between objects, spread between points, share of lost returns, roughness (m).
_OPTICS = np.array(
    [
        (0.27, 0.12, 0.030, 0.01, 0.005),  # ASPHALT
        (0.45, 0.15, 0.060, 0.01, 0.003),  # PAINT_MARK
        (0.32, 0.12, 0.025, 0.01, 0.008),  # PAVING
        (0.36, 0.12, 0.040, 0.01, 0.040),  # GRASS
        (0.45, 0.35, 0.040, 0.01, 0.010),  # PLASTER
        (0.36, 0.20, 0.040, 0.01, 0.012),  # BRICK
        (0.30, 0.20, 0.050, 0.02, 0.020),  # ROOF
        (0.33, 0.25, 0.050, 0.01, 0.010),  # WOOD
        (0.37, 0.20, 0.090, 0.03, 0.030),  # FOLIAGE
        (0.34, 0.25, 0.070, 0.01, 0.015),  # BARK
        (0.24, 0.40, 0.100, 0.04, 0.004),  # METAL
        (0.65, 0.25, 0.150, 0.01, 0.003),  # RETRO
        (0.16, 0.80, 0.060, 0.05, 0.004),  # CAR_PAINT
        (0.04, 0.30, 0.020, 0.55, 0.010),  # GLASS
        (0.05, 0.30, 0.020, 0.10, 0.005),  # RUBBER
        (0.34, 0.45, 0.070, 0.02, 0.012),  # CLOTH
        (0.40, 0.10, 0.040, 0.02, 0.005),  # SKIN
        (0.29, 0.15, 0.040, 0.01, 0.020),  # GRAVEL
        (0.29, 0.15, 0.030, 0.01, 0.006),  # PARKING
        (0.65, 0.25, 0.150, 0.01, 0.003),  # LAMP
    ]
)  # fmt: skip

REMISSION, OBJECT_SPREAD, POINT_SPREAD, LOST, ROUGHNESS_M = _OPTICS.T

BUILDING = 50  # the SemanticKITTI label whose walls have windows
_WINDOW_PITCH_M, _STOREY_M = 2.6, 3.0


def is_window(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Which points [N,3] (metres, street frame) of facades with ``normals`` [N,3] lie on a window pane: bool [N]."""
    along, up = _facade_coordinates(points, normals)
    u, v = np.mod(along / _WINDOW_PITCH_M, 1.0), np.mod(up / _STOREY_M, 1.0)
    return (np.abs(normals[:, 2]) < 0.3) & (u > 0.3) & (u < 0.72) & (v > 0.32) & (v < 0.8)


def is_mortar(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Which points [N,3] of brick walls lie on a joint: bool [N]. Bricks are drawn at twice life size."""
    along, up = _facade_coordinates(points, normals)
    course = np.floor(up / 0.16)
    return (np.mod(up / 0.16, 1.0) < 0.16) | (np.mod(along / 0.5 + 0.5 * np.mod(course, 2), 1.0) < 0.06)


def _facade_coordinates(points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    horizontal = np.hypot(normals[:, 0], normals[:, 1]) + 1e-9
    return (points[:, 1] * normals[:, 0] - points[:, 0] * normals[:, 1]) / horizontal, points[:, 2]


def cell_noise(points: np.ndarray, cell_m: float) -> np.ndarray:
    """A reproducible value in 0..1 for the cube of ``cell_m`` in which each of ``points`` [N,3] lies: float32 [N]."""
    cells = np.floor(points / cell_m).astype(np.int64).astype(np.uint64)
    x, y, z = (cells * np.array([73856093, 19349663, 83492791], np.uint64)).T
    return hash_unit(x ^ y ^ z)


def hash_unit(keys: np.ndarray) -> np.ndarray:
    """Integers spread evenly over 0..1 (the finaliser of MurmurHash3, 32 bits): float32, same shape."""
    k = (keys.astype(np.uint64) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    k = (k ^ (k >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    k = (k ^ (k >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return ((k ^ (k >> np.uint32(16))) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)
