"""The roadside cut into plots: houses, drives, yards and front gardens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, box
from simulation.world.flank import Flank
from simulation.world.ground import GRAVEL, PARKING
from simulation.world.houses import draw_house
from simulation.world.junction import arm_edge_m
from simulation.world.open_land import fill_open_plot, grow_bush_wall
from simulation.world.parks import is_park, plant_park
from simulation.world.relief import KERB_M
from simulation.world.site import Site, Trade

_PAVED = Look(48, Material.PAVING, (0.5, 0.47, 0.45))


def build_plots(site: Site, flank: Flank) -> None:
    """Everything from the sidewalk to behind the first row of houses."""
    rng = site.rng(Trade.HOUSES, flank.sign)
    for a, b in list(_cut(site, flank, rng)):
        _build_plot(site, flank, rng, a, b)


def _cut(site: Site, flank: Flank, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """From where to where each plot of the stretch goes; a side street and its corners are left out."""
    crossing, pieces = site.arm(flank), [(site.begin_s, site.end_s)]
    if crossing is not None:
        edge = arm_edge_m(crossing) + 0.5
        pieces = [(site.begin_s, crossing.s - edge), (crossing.s + edge, site.end_s)]
    for begin, end in pieces:
        count = max(1, round((end - begin) / rng.uniform(9.0, 16.0)))
        cuts = np.linspace(begin, end, count + 1)
        cuts[1:-1] += rng.uniform(-1.5, 1.5, count - 1)
        yield from pairwise(cuts.tolist())


def _build_plot(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    district, middle = site.district, (a + b) / 2
    if is_park(site, flank):
        plant_park(site, flank, rng, a, b)
        return
    built = rng.random() < district.building and b - a > 4.5
    drive_m = 0.0
    if built:
        back = 0.0 if district.terraced else rng.uniform(0.0, 1.5)
        wide = (b - a) * site.scale(middle, flank.sign * (flank.line + back))
        length = wide - 0.02 if district.terraced else rng.uniform(0.68, 0.92) * wide
        house, depth = draw_house(rng, district, length)
        site.raise_house(house, middle, flank.sign * (flank.line + back), (length, depth), flank.facing)
        if flank.side.garden_m > 2.5 and rng.random() < 0.55:
            drive_m = 3.2
            _drive(site, flank, rng, b - drive_m / 2)
    else:
        fill_open_plot(site, flank, rng, a, b)
    if flank.side.garden_m > 1.5:
        if built and district.name == "works" and b - drive_m - a > 4.0:
            _yard(site, flank, rng, a, b - drive_m)
        else:
            _garden(site, flank, rng, a, b - drive_m)


def _drive(site: Site, flank: Flank, rng: np.random.Generator, s: float) -> None:
    """A paved drive across the garden, perhaps with a car on it."""
    garden = flank.side.garden_m
    looks = (PARKING, _PAVED, GRAVEL)
    look = looks[int(rng.choice(3, p=(0.2, 0.65, 0.15)))]
    _slab(site, flank, look, s - 1.4, s + 1.4, 0.0)
    if garden > 5.2 and rng.random() < 0.5:
        kind = "trailer" if rng.random() < 0.06 else "car"
        yaw = flank.facing + math.pi / 2 + (math.pi if rng.random() < 0.5 else 0.0)
        site.stand_countable(kind, rng, s, flank.sign * (flank.front + garden / 2), yaw=yaw, z=KERB_M + 0.02)
    site.reserve(s, flank.sign * (flank.front + garden / 2), (2.6, garden - 0.1))


def _slab(site: Site, flank: Flank, look: Look, from_s: float, to_s: float, set_back_m: float) -> None:
    """Paving over the garden from the sidewalk to the houses."""
    s = np.linspace(from_s, to_s, 4)[:, None]
    d = np.array([[flank.front + set_back_m, flank.line]])
    points = np.stack(np.broadcast_arrays(s, flank.sign * d, KERB_M + 0.02), 2)
    site.pave(points, [look], 120)


def _yard(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    """The yard of a workshop: paved, fenced, with lorries and trailers, crates and containers."""
    _slab(site, flank, (PARKING, _PAVED, GRAVEL)[int(rng.choice(3, p=(0.35, 0.45, 0.2)))], a + 0.2, b - 0.2, 0.3)
    _fence_front(site, flank, rng, a, b, hedge=0.15)
    garden = flank.side.garden_m
    for _ in range(int(rng.integers(0, 3))):
        s, d = rng.uniform(a + 1.5, b - 1.5), flank.front + rng.uniform(1.6, max(garden - 1.5, 1.7))
        kind = ("car", "truck", "trailer", "van")[int(rng.choice(4, p=(0.55, 0.1, 0.15, 0.2)))]
        yaw = rng.choice([0.0, math.pi]) + rng.normal(0.0, 0.05)
        site.stand_countable(kind, rng, s, flank.sign * d, yaw=yaw, z=KERB_M + 0.02, inner_m=flank.front)
    for _ in range(int(rng.poisson(0.7))):
        s, d = rng.uniform(a + 1.0, b - 1.0), flank.front + rng.uniform(1.0, max(garden - 0.8, 1.1))
        size = rng.uniform((0.8, 0.8, 0.6), (2.4, 1.4, 2.2))
        crate = Look(99, Material.METAL if rng.random() < 0.5 else Material.WOOD, tuple(rng.uniform(0.2, 0.6, 3)))
        site.stand(box(size, (0, 0, size[2] / 2), crate), s, flank.sign * d, yaw=rng.normal(0.0, 0.2))


def _garden(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float) -> None:
    """Boundary along the sidewalk and towards the neighbour; bushes and trees between."""
    garden = flank.side.garden_m
    if b - a > 4.0 and garden > 2.5 and rng.random() < 0.3:
        grow_bush_wall(site, flank, rng, a, b)
    elif b - a > 1.5 and rng.random() < site.district.boundary:
        _fence_front(site, flank, rng, a, b, hedge=0.75)
        across, d = garden - 1.2, flank.sign * (flank.front + garden / 2 + 0.3)
        if across > 1.0 and rng.random() < 0.8:
            hedge = rng.random() < 0.45
            thing = objects.hedge(rng, across, rng.uniform(0.8, 2.2)) if hedge else objects.fence(rng, across)
            site.stand(thing, b - 0.5, d, yaw=math.pi / 2)
    near, far = flank.front + 0.9, max(flank.front + 1.0, flank.line - 0.8)
    for _ in range(int(rng.poisson((b - a) * garden / 4.5))):
        s, d = rng.uniform(a, b), rng.uniform(near, far)
        site.stand(objects.bush(rng, rng.uniform(0.4, 1.5)), s, flank.sign * d, soft=True)
    for _ in range(int(rng.poisson(0.9 * (b - a) / site.district.tree_m))):
        s, d = rng.uniform(a, b), rng.uniform(near, far)
        site.stand(objects.tree(rng, rng.uniform(3.5, 9.0)), s, flank.sign * d, soft=True)


def _fence_front(site: Site, flank: Flank, rng: np.random.Generator, a: float, b: float, hedge: float) -> None:
    """A fence, a wall or a hedge along the back of the sidewalk, or a hedge behind a fence."""
    middle = (a + b) / 2
    wide = (b - a) * site.scale(middle, flank.sign * flank.front)
    roll = rng.random()
    if roll > hedge * 0.45:
        fence = objects.fence(rng, wide - 0.2)
        site.stand(fence, middle, flank.sign * (flank.front + 0.17), draped=True, slack_m=0.2)
    if roll < hedge:
        high = rng.uniform(0.9, 2.2)
        site.stand(objects.hedge(rng, wide - 0.8, high), middle, flank.sign * (flank.front + 0.85), draped=True)
