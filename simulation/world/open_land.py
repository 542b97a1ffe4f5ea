"""Land without houses, and what closes the view: woods, thickets, fields, back gardens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from simulation.shapes import objects
from simulation.shapes.mesh import Mesh
from simulation.world.flank import Flank
from simulation.world.houses import draw_house
from simulation.world.junction import ARM_REACH_M
from simulation.world.plan import generator
from simulation.world.site import Site, Trade

_COARSE = 1.7
_COVERS = ("wood", "thicket", "field", "meadow")
Place = tuple[float, float]  # s, and d away from the street, unsigned


def fill_open_plot(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    """Grow what grows between two points of the street where no house stands."""
    zone = generator(site.seed, 6, site.number // 3, flank.sign)
    shares = (0.45, 0.35, 0.1, 0.1) if site.district.name == "country" else (0.35, 0.45, 0.05, 0.15)
    cover = _COVERS[int(zone.choice(len(_COVERS), p=shares))]
    places = partial(_scatter, site, flank, rng, (a, b))
    if cover == "wood":
        _plant_trees(site, flank, rng, places(0.3, (0.5, 11.0)), (5.0, 14.0))
        _plant_bushes(site, flank, rng, places(1.0, (-0.5, 3.0)))
        if rng.random() < 0.75:
            grow_bush_wall(site, flank, rng, a, b)
    elif cover == "thicket":
        _plant_trees(site, flank, rng, places(0.12, (1.0, 10.0)), (4.0, 9.0))
        _plant_bushes(site, flank, rng, places(0.9, (0.0, 8.0)))
        grow_bush_wall(site, flank, rng, a, b)
    elif cover == "meadow":
        _plant_trees(site, flank, rng, places(0.06, (2.0, 12.0)), (4.0, 10.0))
        _plant_bushes(site, flank, rng, places(0.25, (0.0, 12.0)))
    elif rng.random() < 0.6:  # a field, with a fence or a hedgerow now and then
        thing = objects.fence(rng, b - a - 0.2) if rng.random() < 0.4 else objects.hedge(rng, b - a - 0.4, 1.5)
        site.stand(thing, (a + b) / 2, flank.sign * (flank.line + 1.0), draped=True)


def grow_bush_wall(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    """Bushes grown together along the road, higher than a car's roof."""
    away = flank.front + rng.uniform(0.9, 2.0)
    for s in np.arange(a + 0.8, b - 0.5, rng.uniform(1.0, 1.6)):
        radius = rng.uniform(1.1, 2.0)
        d = away + 0.6 * radius + rng.uniform(0.0, 0.8)
        site.stand(objects.bush(rng, radius), s, flank.sign * d, yaw=rng.uniform(-math.pi, math.pi), soft=True)
    hedge = objects.hedge(rng, b - a - 0.4, rng.uniform(2.0, 3.8))
    site.stand(hedge, (a + b) / 2, flank.sign * (away + 1.6), draped=True)


def close_view(site: Site, flank: Flank) -> None:
    """What stands behind the first row: back gardens' trees, further houses, the edge of a wood."""
    rng, built = site.rng(Trade.LAND, flank.sign), site.district.building
    first = flank.line + 13.0
    for _ in range(int(rng.poisson(1.2 * built))):
        s, d = rng.uniform(site.begin_s + 7.0, site.end_s - 7.0), first + rng.uniform(8.0, 25.0)
        length = rng.uniform(9.0, 14.0)
        if all(_is_free(site, flank, s + end, d + 13.0) for end in (-length / 2, length / 2)):
            house, depth = draw_house(rng, site.district, length)
            site.raise_house(house, s, flank.sign * d, (length, depth), flank.facing)
    density = 0.4 if site.district.name == "country" else 1.0
    for rate, near, far in ((3.5 * min(built + 0.3, 1.0), 0.0, 8.0), (3.0 * density, 8.0, 30.0)):
        for _ in range(int(rng.poisson(rate))):
            s, d = rng.uniform(site.begin_s, site.end_s), first + rng.uniform(near, far)
            if _is_free(site, flank, s, d):
                site.stand(_distant(objects.tree(rng, rng.uniform(5.0, 14.0) / _COARSE)), s, flank.sign * d, soft=True)
    if built > 0.3 and rng.random() < 0.9:  # a hedge between back gardens, seen through the gaps
        s, d = (site.begin_s + site.end_s) / 2, first + rng.uniform(2.0, 8.0)
        if _is_free(site, flank, s, d) and site.crossing is None:
            hedge = _distant(objects.hedge(rng, 29.0 / _COARSE, rng.uniform(1.8, 3.2) / _COARSE))
            site.stand(hedge, s, flank.sign * d, draped=True)


def _distant(thing: Mesh) -> Mesh:
    """``thing`` enlarged: with fewer and coarser leaves than one drawn at that size, for far away."""
    return replace(thing, vertices=_COARSE * thing.vertices)


def _is_free(site: Site, flank: Flank, s: float, d: float) -> bool:
    return not site.beside_arm(s, flank.sign * d, ARM_REACH_M) and d < float(site.reach_m(s, flank)) - 1.0


def _plant_trees(
    site: Site, flank: Flank, rng: np.random.Generator, places: Iterator[Place], height_m: tuple[float, float]
) -> None:
    for s, d in places:
        site.stand(objects.tree(rng, rng.uniform(*height_m)), s, flank.sign * d, soft=True)


def _plant_bushes(site: Site, flank: Flank, rng: np.random.Generator, places: Iterator[Place]) -> None:
    for s, d in places:
        bush = objects.bush(rng, rng.uniform(0.6, 2.2))
        site.stand(bush, s, flank.sign * d, yaw=rng.uniform(-math.pi, math.pi), soft=True)


def _scatter(
    site: Site,
    flank: Flank,
    rng: np.random.Generator,
    span_s: tuple[float, float],
    rate_per_m: float,
    depth_m: tuple[float, float],
) -> Iterator[Place]:
    """Random places beyond the building line where there is ground."""
    for _ in range(int(rng.poisson(rate_per_m * (span_s[1] - span_s[0])))):
        s, d = rng.uniform(*span_s), flank.line + rng.uniform(*depth_m)
        if d < float(site.reach_m(s, flank)):
            yield s, d
