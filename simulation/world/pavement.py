"""On the sidewalk, out of walkers' way: street furniture, bicycles and motorcycles, people who stand about."""

from __future__ import annotations

import math

import numpy as np

from simulation.actors import Kind
from simulation.shapes import objects
from simulation.world.relief import KERB_M
from simulation.world.site import Flank, Site, Trade


def furnish_pavement(site: Site, flank: Flank) -> None:
    """Set things along the back of the sidewalk, and bicycle stands and dustbins where there is room."""
    rng, district = site.rng(Trade.PAVEMENT, flank.sign), site.district
    back = flank.front - 0.35 if flank.side.sidewalk_m >= 2.4 else flank.front + 0.45
    urban = district.terraced
    for _ in range(int(rng.poisson(0.5))):
        s = rng.uniform(site.begin_s + 1.0, site.end_s - 1.0)
        site.stand(objects.clutter(rng), s, flank.sign * back, yaw=flank.facing, z=KERB_M)
    if district.name == "country":
        return
    kinds: tuple[tuple[Kind, float], ...] = (
        ("bicycle", 0.5 if urban else 0.2),
        ("motorcycle", 0.12),
        ("pedestrian", 0.9 / district.walkers_m),
    )
    for kind, rate in kinds:
        for _ in range(int(rng.poisson(rate))):
            s, away = rng.uniform(site.begin_s + 1.0, site.end_s - 1.0), back - rng.uniform(0.0, 0.15)
            yaw = rng.uniform(-math.pi, math.pi) if kind == "pedestrian" else flank.facing + rng.normal(0.0, 0.1)
            site.stand_countable(kind, rng, s, flank.sign * away, yaw=yaw, z=KERB_M)
    if urban and rng.random() < 0.2:
        _bicycle_stand(site, flank, rng)


def _bicycle_stand(site: Site, flank: Flank, rng: np.random.Generator) -> None:
    """A row of bicycles side by side, where the sidewalk or the yard behind it has room."""
    room = flank.side.garden_m > 2.4
    first, d = rng.uniform(site.begin_s + 2.0, site.end_s - 7.0), flank.front + (1.2 if room else -1.0)
    if not room and flank.side.sidewalk_m < 3.5:
        return
    for k in range(int(rng.integers(3, 8))):
        if rng.random() < 0.8:
            yaw = math.pi / 2 + rng.normal(0.0, 0.08)
            site.stand_countable("bicycle", rng, first + 0.75 * k, flank.sign * d, yaw=yaw, z=KERB_M)
