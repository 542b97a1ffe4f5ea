"""The lie of the road: its crown, its gutters and kerbs, and the waves that years of traffic leave in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

KERB_M = 0.12  # a kerb as it is drawn; the real one is between half and 1.2 times as high
_GUTTER_M, _GUTTER_DEEP_M = 0.35, 0.012
_CROWN_M = 0.5  # the top of a crown is round over about so much
_SIDEWALK_FALL = 0.02  # towards the kerb


@dataclass(frozen=True)
class Ripple:
    """A wave in the road: swing and length (metres), angle of its way against the street's, phase (radians)."""

    swing_m: float
    wave_m: float
    angle: float
    phase: float


@dataclass(frozen=True)
class Relief:
    """Height of the ground over the smooth line of the street, the same function for everybody who stands on it.

    Pairs are (left, right). Distances are from the centre line.
    """

    kerb_m: tuple[float, float]
    front_m: tuple[float, float]  # where the sidewalk ends
    fall: tuple[float, float]  # of the carriageway towards each kerb, metres per metre; negative where it rises
    ripples: tuple[Ripple, ...]
    kerb_phase: tuple[float, float]

    def height(self, s: ArrayLike, d: ArrayLike) -> np.ndarray:
        """Metres at (s, d), which broadcast: continuous; kerbs, which are steps, are left out."""
        s, d = np.asarray(s, float), np.asarray(d, float)
        out, left = np.abs(d), d > 0.0
        kerb, front, fall = (np.where(left, *pair) for pair in (self.kerb_m, self.front_m, self.fall))
        on_road = np.minimum(out, kerb)
        z = fall * (_CROWN_M - np.sqrt(on_road**2 + _CROWN_M**2))
        z = z - _GUTTER_DEEP_M * np.clip(1.0 - (kerb - on_road) / _GUTTER_M, 0.0, 1.0)
        z = z + _SIDEWALK_FALL * np.clip(out - kerb, 0.0, front - kerb)
        for r in self.ripples:
            way = s * math.cos(r.angle) + d * math.sin(r.angle)
            z = z + r.swing_m * np.sin(2 * math.pi / r.wave_m * way + r.phase)
        return z

    def raised(self, s: ArrayLike, d: ArrayLike, above_m: ArrayLike) -> np.ndarray:
        """Metres over :meth:`height` of what is drawn ``above_m`` over the road: kerbs are not equally high."""
        above_m = np.asarray(above_m, float)
        share = 0.83 + 0.33 * np.sin(np.asarray(s, float) / 11.0 + np.where(np.asarray(d) > 0.0, *self.kerb_phase))
        return above_m + np.clip(above_m, 0.0, KERB_M) * (share - 1.0)


def draw_relief(
    rng: np.random.Generator, kerb_m: tuple[float, float], front_m: tuple[float, float], divided: bool
) -> Relief:
    """A crown in the middle, or, on one narrow road in five, one fall from side to side; and the road's unevenness."""
    fall = rng.uniform(0.02, 0.027)
    one_sided = not divided and max(kerb_m) < 5.5 and rng.random() < 0.2
    waves = ((5.0, 9.0, 0.004, 0.007), (9.0, 16.0, 0.008, 0.015), (16.0, 27.0, 0.02, 0.035), (28.0, 55.0, 0.07, 0.11))
    ripples = tuple(
        Ripple(rng.uniform(low_m, high_m), rng.uniform(short, long), rng.normal(0.0, 0.5), rng.uniform(0, 2 * math.pi))
        for short, long, low_m, high_m in waves
    )
    phases = rng.uniform(0, 2 * math.pi, 2)
    return Relief(kerb_m, front_m, (fall, -fall if one_sided else fall), ripples, (float(phases[0]), float(phases[1])))


LEVEL = Relief((1e3, 1e3), (1e3, 1e3), (0.0, 0.0), (), (0.0, 0.0))
