"""Which road users there are, and how many of each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulation.actors import Kind
from simulation.traffic.stage import Stage

# Shares. Heavy vehicles and two-wheelers are more frequent than in KITTI's recordings, where ten short drives would
# have none of them.
MAIN: dict[Kind, float] = {
    "car": 0.62, "van": 0.08, "truck": 0.035, "bus": 0.05, "motorcyclist": 0.1, "cyclist": 0.1,
}  # fmt: skip
SIDE: dict[Kind, float] = {"car": 0.68, "van": 0.06, "motorcyclist": 0.08, "cyclist": 0.2}
CYCLISTS = 0.13  # of those who come along a lane, if nothing is set otherwise


def draw_kind(stage: Stage, shares: Mapping[Kind, float], rng: np.random.Generator) -> Kind | None:
    """The kind of somebody new; None where the settings leave nobody to choose from."""
    rural = stage.plan.district == "country"
    weights = {
        kind: share
        * (stage.settings.cyclists if kind == "cyclist" else stage.settings.vehicles)
        * (0.4 if rural and kind in ("cyclist", "bus") else 1.0)
        for kind, share in shares.items()
    }
    total = sum(weights.values())
    if total == 0.0:
        return None
    return list(weights)[int(rng.choice(len(weights), p=[w / total for w in weights.values()]))]
