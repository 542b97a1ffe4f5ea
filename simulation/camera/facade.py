"""Windows that a facade shows without geometry: panes, frames, curtains, and light behind some of them at night."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulation.camera.textures import BRICK, PLASTER
from simulation.shapes.materials import BUILDING, cell_noise, is_window

_FRAME_M = 0.07
_LIT = 0.3  # share of windows with light behind them at night
_LUMINANCE = np.array([60.0, 44.0, 24.0], np.float32)  # cd/m² of such a window


class Windows(NamedTuple):
    """``pane`` and ``frame``: int64 indices of points on glass, and on the frame round it. ``behind`` float32 [P,3]:
    reflectance of the room or the curtains behind each pane; ``glow`` float32 [P,3]: their own light, cd/m²."""

    pane: np.ndarray
    frame: np.ndarray
    behind: np.ndarray
    glow: np.ndarray


def windows(label: np.ndarray, material: np.ndarray, points: np.ndarray, normals: np.ndarray, dark: bool) -> Windows:
    """The windows among N surface points (street frame); ``dark``: whether people have switched on their lights."""
    wall = np.flatnonzero((label == BUILDING) & ((material == PLASTER) | (material == BRICK)))
    wall = wall[is_window(points[wall], normals[wall])]
    at, facing = points[wall], normals[wall]
    aside = np.stack([-facing[:, 1], facing[:, 0], np.zeros(len(wall))], 1) * _FRAME_M
    above = np.array([0.0, 0.0, _FRAME_M])
    inner = np.ones(len(wall), bool)
    for step in (aside, -aside, above, -above):
        inner &= is_window(at + step, facing)
    pane, at = wall[inner], at[inner]
    own = cell_noise(at, 1.3)
    curtain = (cell_noise(at, 0.31) * 0.3 + own) > 0.85
    behind = np.where(curtain[:, None], np.float32(0.35) + np.float32(0.2) * own[:, None], np.float32(0.02))
    lit = (own * 7.0) % 1.0 < _LIT if dark else np.zeros(len(at), bool)
    glow = np.where(lit[:, None], _LUMINANCE * (np.float32(0.5) + own[:, None]), np.float32(0.0))
    return Windows(pane, wall[~inner], np.broadcast_to(behind, (len(at), 3)).astype(np.float32), glow)
