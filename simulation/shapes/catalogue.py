"""One door to everything countable: draw a model of a kind once, then ask for its mesh in any state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulation.actors import LABELS, Kind
from simulation.shapes import objects
from simulation.shapes.mesh import Mesh

Indicator = Literal["", "left", "right"]
_MAKERS = {
    "car": objects.car,
    "van": objects.car,
    "truck": objects.truck,
    "bus": objects.bus,
    "trailer": objects.caravan,
    "bicycle": lambda rng, moving: objects.bicycle(rng),
    "motorcycle": lambda rng, moving: objects.motorcycle(rng),
    "pedestrian": objects.pedestrian,
    "cyclist": objects.cyclist,
    "motorcyclist": objects.motorcyclist,
}


@dataclass(frozen=True)
class Model:
    """One individual of a kind: its proportions and colours stay, its state changes."""

    kind: Kind
    seed: int

    def mesh(
        self,
        *,
        moving: bool,
        phase: float = 0.0,
        braking: bool = False,
        indicating: Indicator = "",
        lights: bool = False,
    ) -> Mesh:
        """Its mesh, labelled by :data:`LABELS`; the same triangles in the same order in every state.

        ``phase`` 0..1 is where a walker or rider is in its step; 0 is a stance with the feet together.
        """
        return _MAKERS[self.kind](np.random.default_rng(self.seed), moving)


def draw_model(kind: Kind, rng: np.random.Generator) -> Model:
    """An individual of ``kind``."""
    assert kind in LABELS
    return Model(kind, int(rng.integers(2**32)))
