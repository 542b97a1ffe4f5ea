"""Light behind windows at night: who is at home."""

from __future__ import annotations

import numpy as np

from simulation.camera.textures import GLASS
from simulation.scene import Scene
from simulation.shapes.materials import BUILDING, cell_noise

_LIT = 0.3  # share of windows with light behind them
_LUMINANCE = np.array([45.0, 33.0, 18.0], np.float32)  # cd/m²: a lamp's light on walls and curtains


def window_light(scene: Scene, triangle: np.ndarray) -> np.ndarray:
    """Luminance float32 [N,3] (cd/m²) that comes through what was hit: 0 but for the lit panes of buildings.

    ``triangle`` int64 [N], all hits. A pane's two triangles share their first corner: its place says who is at home.
    """
    glow = np.zeros((len(triangle), 3), np.float32)
    glass = scene.attribute("material")[triangle] == GLASS
    panes = np.flatnonzero(glass & (scene.attribute("label")[triangle] == BUILDING))
    mesh = scene.standing.mesh
    home = cell_noise(mesh.vertices[mesh.triangles[triangle[panes], 0]], 0.05)
    lit = home < _LIT
    glow[panes[lit]] = _LUMINANCE * (0.25 + home[lit, None] / np.float32(_LIT))
    return glow
