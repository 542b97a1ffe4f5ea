"""Squares and playgrounds: plots that the town has planted instead of built."""

from __future__ import annotations

import math

import numpy as np

from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, tube
from simulation.world.flank import Flank
from simulation.world.plan import generator
from simulation.world.site import Site

_SHARES = {"city": 0.2, "avenue": 0.15, "residential": 0.07, "garden suburb": 0.07}
_DEPTH_M = 16.0
_WOOD = Look(99, Material.WOOD, (0.5, 0.36, 0.22))


def is_park(site: Site, flank: Flank) -> bool:
    """Whether this side of the street is a park here, for sixty metres on end."""
    zone = generator(site.seed, 7, site.number // 2, flank.sign)
    return bool(zone.random() < _SHARES.get(site.district.name, 0.0))


def plant_park(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    """Trees, shrubs, benches and now and then a playground between two points of the street, hedged or fenced."""
    middle, wide = (a + b) / 2, (b - a) * site.scale((a + b) / 2, flank.sign * flank.front)
    if rng.random() < 0.6:
        hedge = objects.hedge(rng, wide - 0.6, rng.uniform(0.8, 1.9))
        site.stand(hedge, middle, flank.sign * (flank.front + 0.8), draped=True)
    else:
        site.stand(objects.fence(rng, wide - 0.3), middle, flank.sign * (flank.front + 0.3), draped=True, slack_m=0.2)
    if rng.random() < 0.25:
        for thing in (_swing(rng), _climbing_frame(rng)):
            s, d = rng.uniform(a + 2.0, max(b - 2.0, a + 2.1)), flank.front + rng.uniform(4.0, 9.0)
            site.stand(thing, s, flank.sign * d, yaw=rng.uniform(-math.pi, math.pi))
    for rate, draw, near in ((0.3, _tree, 1.8), (0.8, _shrub, 1.6)):
        for _ in range(int(rng.poisson(rate * (b - a)))):
            s, d = rng.uniform(a, b), min(flank.front + rng.uniform(near, _DEPTH_M), flank.line + 12.0)
            if d < float(site.reach_m(s, flank)):
                site.stand(draw(rng), s, flank.sign * d, yaw=rng.uniform(-math.pi, math.pi), soft=True)


def _tree(rng: np.random.Generator) -> Mesh:
    return objects.tree(rng, rng.uniform(6.0, 13.0))


def _shrub(rng: np.random.Generator) -> Mesh:
    return objects.bush(rng, rng.uniform(0.7, 1.9))


def _swing(rng: np.random.Generator) -> Mesh:
    """Two seats under a bar between trestles."""
    high, half = rng.uniform(2.0, 2.4), rng.uniform(1.5, 1.9)
    steel = Look(99, Material.METAL, (0.25, 0.3, 0.45))
    parts = [tube((-half, 0, high), (half, 0, high), (0.05, 0.05), _WOOD, 7)]
    parts += [tube((x, y, 0), (x, 0, high), (0.05, 0.05), _WOOD, 7) for x in (-half, half) for y in (-0.8, 0.8)]
    for x in (-0.5 * half, 0.5 * half):
        parts += [tube((x + dx, 0, 0.45), (x + dx, 0, high), (0.012, 0.012), steel, 4) for dx in (-0.22, 0.22)]
        parts.append(box((0.45, 0.2, 0.04), (x, 0, 0.45), steel))
    return join(parts)


def _climbing_frame(rng: np.random.Generator) -> Mesh:
    """A platform on posts under a roof, with a slide."""
    deck, side = rng.uniform(1.2, 1.6), 0.65
    metal = Look(99, Material.METAL, (0.6, 0.61, 0.62))
    roof = Look(99, Material.WOOD, tuple(rng.uniform(0.2, 0.7, 3)))
    parts = [box((0.1, 0.1, deck + 1.5), (x, y, (deck + 1.5) / 2), _WOOD) for x in (-side, side) for y in (-side, side)]
    parts += [box((2 * side, 2 * side, 0.08), (0, 0, deck), _WOOD), box((1.6, 1.6, 0.08), (0, 0, deck + 1.5), roof)]
    parts += [box((0.04, 2 * side, 0.7), (-side, 0, deck + 0.4), roof)]
    steps = 6
    for k in range(steps):  # the slide, in short plates
        x, z = side + (k + 0.5) * 0.35, deck * (1 - (k + 0.5) / steps)
        parts.append(box((0.37, 0.5, deck / steps + 0.04), (x, 0, z), metal))
    return join(parts)
