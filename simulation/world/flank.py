"""One side of the street, from the carriageway to the houses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulation.world.plan import Side


@dataclass(frozen=True)
class Flank:
    """One side of the street as distances from the centre line (metres). ``sign``: +1 left, -1 right."""

    sign: int
    side: Side
    road: float  # edge of the carriageway

    @property
    def kerb(self) -> float:
        return self.road + self.side.parking_m

    @property
    def front(self) -> float:
        """Where the pavement ends and gardens begin."""
        return self.kerb + self.side.verge_m + self.side.sidewalk_m

    @property
    def line(self) -> float:
        """Where houses begin."""
        return self.front + self.side.garden_m

    @property
    def facing(self) -> float:
        """Yaw of a house, whose front is its -y side, that looks at the street."""
        return math.pi if self.sign < 0 else 0.0

    @property
    def travel(self) -> float:
        """Yaw of a vehicle that drives on this side."""
        return math.pi if self.sign > 0 else 0.0
