"""One door to everything countable: draw a model of a kind once, then ask for its mesh in any state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulation.actors import LABELS, Kind
from simulation.shapes import buses, cars, cycles, people, trailers, trucks
from simulation.shapes.mesh import Mesh
from simulation.shapes.state import Indicator, State

__all__ = ["Indicator", "Model", "draw_model"]

# Each maker draws the same numbers whatever the state, so that an individual stays what it is.
_MAKERS: dict[Kind, Callable[[np.random.Generator, State], Mesh]] = {
    "car": cars.car,
    "van": cars.van,
    "truck": trucks.truck,
    "bus": buses.bus,
    "trailer": trailers.trailer,
    "bicycle": cycles.bicycle,
    "motorcycle": cycles.motorcycle,
    "pedestrian": people.pedestrian,
    "cyclist": cycles.cyclist,
    "motorcyclist": cycles.motorcyclist,
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

        ``phase`` 0..1 is where a walker or cyclist is in its step or turn of the pedals, which takes it ``cycle_m``
        forward; 0 is a stance with the feet together.
        """
        state = State(LABELS[self.kind][moving], phase, braking, indicating, lights)
        return _MAKERS[self.kind](np.random.default_rng(self.seed), state)

    @property
    def cycle_m(self) -> float:
        """How far a walker or cyclist goes while ``phase`` runs from 0 to 1, in metres; 0 for the others."""
        if self.kind == "pedestrian":
            return 2 * people.STEP * people.draw_figure(np.random.default_rng(self.seed), State(0)).height_m
        return cycles.DEVELOPMENT_M if self.kind == "cyclist" else 0.0


def draw_model(kind: Kind, rng: np.random.Generator) -> Model:
    """An individual of ``kind``."""
    return Model(kind, int(rng.integers(2**32)))
