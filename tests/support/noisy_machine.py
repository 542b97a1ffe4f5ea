"""Simulated measurements on a machine that others use, too."""

from __future__ import annotations

import numpy as np


def repetitions(
    rng: np.random.Generator, median: float, runs: int = 10, samples: int = 12, spread: float = 0.02
) -> list[list[float]]:
    """Samples of which neighbours are alike (AR(1), 0.6), in repetitions that differ, some of them with a busy spell.

    ``spread``: standard deviation between repetitions; within one it is half as much again.
    """
    found = []
    for _ in range(runs):
        noise = np.empty(samples)
        noise[0] = rng.standard_normal()
        for i in range(1, samples):
            noise[i] = 0.6 * noise[i - 1] + 0.8 * rng.standard_normal()
        values = median * np.exp(1.5 * spread * noise + spread * rng.standard_normal())
        if rng.random() < 0.3:
            busy = rng.integers(samples)
            values[busy : busy + samples // 4] *= 1 + 0.4 * abs(rng.standard_normal())
        found.append(values.tolist())
    return found
