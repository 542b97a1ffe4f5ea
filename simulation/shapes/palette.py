"""Colours (RGB 0..1) that things of a street are drawn from, and how one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
RGB = tuple[float, float, float]

# Car paints by their share among new cars in Germany: grey, black, white, silver, blue, red, the rest.
PAINTS: tuple[tuple[RGB, float], ...] = (
    ((0.30, 0.31, 0.33), 0.22),
    ((0.05, 0.05, 0.06), 0.23),
    ((0.86, 0.86, 0.85), 0.18),
    ((0.66, 0.67, 0.69), 0.15),
    ((0.07, 0.13, 0.34), 0.09),
    ((0.48, 0.05, 0.06), 0.06),
    ((0.10, 0.22, 0.15), 0.02),
    ((0.55, 0.47, 0.36), 0.03),
    ((0.70, 0.52, 0.08), 0.02),
)
# What lorries and trailers are painted in.
LIVERIES: tuple[RGB, ...] = (
    (0.88, 0.88, 0.86), (0.70, 0.72, 0.75), (0.16, 0.30, 0.55), (0.75, 0.55, 0.08), (0.55, 0.08, 0.08),
    (0.12, 0.33, 0.20),
)  # fmt: skip
CLOTHS: tuple[RGB, ...] = (
    (0.13, 0.15, 0.26), (0.05, 0.05, 0.06), (0.22, 0.22, 0.24), (0.55, 0.09, 0.10), (0.80, 0.79, 0.75),
    (0.20, 0.30, 0.20), (0.48, 0.38, 0.25), (0.30, 0.42, 0.60), (0.72, 0.45, 0.50), (0.75, 0.60, 0.15),
)  # fmt: skip
TROUSERS: tuple[RGB, ...] = (
    (0.14, 0.18, 0.30), (0.07, 0.07, 0.09), (0.22, 0.22, 0.23), (0.42, 0.36, 0.27), (0.25, 0.32, 0.45),
)  # fmt: skip
SKINS: tuple[RGB, ...] = ((0.78, 0.60, 0.50), (0.72, 0.53, 0.42), (0.58, 0.40, 0.30), (0.36, 0.24, 0.17))
HAIR: tuple[RGB, ...] = ((0.08, 0.06, 0.05), (0.22, 0.14, 0.09), (0.45, 0.33, 0.20), (0.55, 0.54, 0.52))
PLASTERS: tuple[RGB, ...] = (
    (0.82, 0.76, 0.62), (0.86, 0.85, 0.82), (0.72, 0.60, 0.48), (0.75, 0.68, 0.66), (0.62, 0.66, 0.64),
    (0.84, 0.78, 0.70), (0.68, 0.58, 0.42),
)  # fmt: skip
BRICKS: tuple[RGB, ...] = ((0.51, 0.33, 0.27), (0.49, 0.38, 0.32), (0.58, 0.44, 0.37), (0.60, 0.53, 0.44))
ROOFS: tuple[RGB, ...] = ((0.42, 0.25, 0.20), (0.26, 0.25, 0.27), (0.36, 0.28, 0.25), (0.46, 0.30, 0.23))
GREENS: tuple[RGB, ...] = ((0.20, 0.36, 0.12), (0.28, 0.42, 0.14), (0.16, 0.30, 0.13), (0.36, 0.41, 0.16))

GLASS: RGB = (0.10, 0.13, 0.16)
BLACK: RGB = (0.05, 0.05, 0.055)


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of ``choices``, each as likely as the next."""
    return choices[int(rng.integers(len(choices)))]


def pick_paint(rng: np.random.Generator) -> RGB:
    """A car paint, each shade a little different."""
    share = np.array([share for _, share in PAINTS])
    rgb = PAINTS[int(rng.choice(len(PAINTS), p=share / share.sum()))][0]
    return tuple(float(c) for c in np.clip(np.array(rgb) * rng.uniform(0.85, 1.15), 0.03, 0.95))
