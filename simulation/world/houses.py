"""Which house stands on a plot."""

from __future__ import annotations

import numpy as np

from simulation.shapes import objects
from simulation.shapes.mesh import Mesh
from simulation.world.plan import District


def draw_house(rng: np.random.Generator, district: District, length_m: float) -> tuple[Mesh, float]:
    """A house of the district, ``length_m`` along its street, and its depth (metres)."""
    flat = district.name == "works" or (district.terraced and rng.random() < 0.3)
    storeys = rng.integers(district.storeys[0], district.storeys[1] + 1)
    depth = rng.uniform(14.0, 22.0) if district.name == "works" else rng.uniform(8.0, 12.5)
    return objects.house(rng, (length_m, depth, 3.0 * storeys + rng.uniform(0.0, 1.2)), flat), depth
