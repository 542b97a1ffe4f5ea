"""On the sidewalk, out of walkers' way: street furniture, bicycles and motorcycles, people who stand about."""

from __future__ import annotations

import math

import numpy as np

from simulation.actors import Kind
from simulation.shapes import objects
from simulation.world.flank import Flank
from simulation.world.relief import KERB_M
from simulation.world.site import Site, Trade

_FURNISHED_FROM_M = 3.2  # a narrower sidewalk is left to walkers; what stands there stands just behind it


def furnish_pavement(site: Site, flank: Flank) -> None:
    """Set things along the back of the sidewalk, and bicycle stands and dustbins where there is room."""
    rng, district = site.rng(Trade.PAVEMENT, flank.sign), site.district
    wide = flank.side.sidewalk_m >= _FURNISHED_FROM_M
    if not wide and flank.side.garden_m < 1.0:
        return
    back = flank.front - 0.35 if wide else flank.front + 0.45
    urban = district.terraced
    for _ in range(int(rng.poisson(1.3))):
        s = rng.uniform(site.begin_s + 1.0, site.end_s - 1.0)
        site.stand(objects.clutter(rng), s, flank.sign * back, yaw=flank.facing, z=KERB_M)
    if district.name == "country":
        return
    kinds: tuple[tuple[Kind, float], ...] = (
        ("bicycle", 0.5 if urban else 0.2),
        ("motorcycle", 0.12),
        ("pedestrian", 0.18 / district.walkers_m),
    )
    for kind, rate in kinds:
        for _ in range(int(rng.poisson(rate))):
            s, away = rng.uniform(site.begin_s + 1.0, site.end_s - 1.0), back - rng.uniform(0.0, 0.15)
            yaw = rng.uniform(-math.pi, math.pi) if kind == "pedestrian" else flank.facing + rng.normal(0.0, 0.1)
            site.stand_countable(kind, rng, s, flank.sign * away, yaw=yaw, z=KERB_M)
    if urban and rng.random() < 0.2:
        _bicycle_stand(site, flank, rng)


def _bicycle_stand(site: Site, flank: Flank, rng: np.random.Generator) -> None:
    """A row of bicycles side by side, where the yard behind the sidewalk has room."""
    if flank.side.garden_m < 2.4:
        return
    first, d = rng.uniform(site.begin_s + 2.0, site.end_s - 7.0), flank.front + 1.2
    for k in range(int(rng.integers(3, 8))):
        if rng.random() < 0.8:
            yaw = math.pi / 2 + rng.normal(0.0, 0.08)
            site.stand_countable("bicycle", rng, first + 0.75 * k, flank.sign * d, yaw=yaw, z=KERB_M)
