"""How a drive lies on disk: where each frame's files are, and the text files that speak of all frames."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

from simulation.recipe import Recipe


class Layout(Protocol):
    """All paths are relative to the drive's output folder."""

    def root(self, recipe: Recipe) -> PurePosixPath:
        """The folder that readers of the format take as one recording."""
        ...

    def path(self, recipe: Recipe, product: str, frame: int) -> PurePosixPath:
        """Where one of :meth:`Recipe.products` of a frame is."""
        ...

    def texts(self, recipe: Recipe, lidar_poses: list[np.ndarray]) -> dict[PurePosixPath, str]:
        """Calibration, times and poses. ``lidar_poses``: LiDAR to street, float64 [4,4], of every frame."""
        ...


def layout_of(recipe: Recipe) -> Layout:
    """The layout that the recipe names."""
    from simulation.layouts import odometry, raw

    return {"odometry": odometry, "raw": raw}[recipe.layout]
