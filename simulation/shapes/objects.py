"""One door to everything that stands and does not count: plants, buildings, fences, street furniture.

Every function returns a mesh with its origin on the ground under its middle (a house: under the middle of its front).
What counts, and can change its state, is drawn from :mod:`simulation.shapes.catalogue`.
"""

from simulation.shapes.buildings import house, shed
from simulation.shapes.fences import fence
from simulation.shapes.furniture import barrier, clutter, cone, lamp, shelter, signal_head
from simulation.shapes.plants import bush, hedge, tree
from simulation.shapes.signs import sign

__all__ = [
    "barrier", "bush", "clutter", "cone", "fence", "hedge", "house", "lamp", "shed", "shelter", "sign", "signal_head",
    "tree",
]  # fmt: skip
