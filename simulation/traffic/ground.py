"""The height of the ground that people walk on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulation.world.layout import Crossing
from simulation.world.plan import Plan
from simulation.world.relief import KERB_M

_KERB_RUN_M = 0.3  # a step up is spread over so much way


class Ground:
    """Where pavements are: above the carriageway by the height of the kerb, except across side streets."""

    def __init__(self, plan: Plan, crossings: Sequence[Crossing]) -> None:
        self._kerb_m = {sign: plan.kerb_m(sign) for sign in (1, -1)}
        self._crossings = crossings

    def above_m(self, s: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Height over the road of the ground at (s, d): float64 [N] metres."""
        inside = np.abs(d) - np.where(d > 0, self._kerb_m[1], self._kerb_m[-1])
        for crossing in self._crossings:
            on_arm = np.isin(np.sign(d), crossing.arms)
            aside = np.abs(s - crossing.s) - crossing.half_width_m
            inside = np.where(on_arm, np.minimum(inside, aside), inside)
        return KERB_M * np.clip(inside / _KERB_RUN_M + 0.5, 0.0, 1.0)
