"""What the town sets up along a street: lamps, signs, signals, and what else stands on a pavement."""

from __future__ import annotations

from typing import Literal

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, tube
from simulation.shapes.palette import BLACK, RGB

Signal = Literal["red", "amber", "green", "off"]
_LENSES: tuple[tuple[str, float, RGB], ...] = (
    ("red", 0.30, (1.0, 0.08, 0.05)),
    ("amber", 0.0, (1.0, 0.62, 0.08)),
    ("green", -0.30, (0.1, 0.95, 0.55)),
)


def signal_head(state: Signal) -> Mesh:
    """A traffic light's head, its lenses facing -x; the origin is the middle of its back, where the pole holds it."""
    housing = Look(80, Material.METAL, BLACK)
    parts = [box((0.20, 0.32, 0.96), (-0.10, 0.0, 0.0), housing)]
    for name, z, rgb in _LENSES:
        on = state == name
        lens = Look(80, Material.LAMP if on else Material.GLASS, rgb if on else tuple(0.18 * c for c in rgb))
        parts.append(tube((-0.225, 0.0, z), (-0.20, 0.0, z), (0.10, 0.105), lens, 12))
        parts.append(box((0.16, 0.26, 0.02), (-0.28, 0.0, z + 0.12), housing))  # its hood
    return join(parts)
