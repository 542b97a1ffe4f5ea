"""Between carriageway and sidewalk: parked vehicles, street trees, lamps, signs, bus stops."""

from __future__ import annotations

import math

import numpy as np

from simulation.actors import Kind
from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, box, join, tube
from simulation.world.flank import Flank
from simulation.world.layout import BusStop
from simulation.world.relief import KERB_M
from simulation.world.site import Site, Trade

_PARKED: tuple[tuple[Kind, float, float], ...] = (  # kind, share, width of the strip it needs (m)
    ("car", 0.9, 0.0),
    ("van", 0.06, 2.2),
    ("trailer", 0.035, 2.2),
    ("truck", 0.01, 2.1),
    ("motorcycle", 0.015, 0.0),
)


_TREES_FROM_M = 3.2  # on a narrower sidewalk without a verge trees would stand in walkers' way


def reserve_places(site: Site) -> None:
    """Keep free what traffic may use: bays that nobody stands in, and where a bus stops."""
    for bay in site.layout.free_bays:
        site.reserve(bay.s, bay.d, (6.0, 2.0))
    stop = site.layout.bus_stop
    if stop is not None:
        _shelter(site, stop)
        site.reserve(stop.s + 6.0 * stop.sign, stop.d, (12.0, 1.0))


def park_vehicles(site: Site) -> None:
    """Fill the bays that are not free; lorries first, for one takes the room of two or three cars."""
    rng = site.rng(Trade.PARKING)
    taken = [bay for bay in site.layout.bays if rng.random() < site.district.parked * site.plan.parked]
    kinds = [_draw_kind(site, rng, site.flank(bay.d)) for bay in taken]
    for bay, kind in sorted(zip(taken, kinds, strict=True), key=lambda pair: pair[1] != "truck"):
        flank = site.flank(bay.d)
        yaw = bay.yaw + (math.pi if rng.random() < 0.12 else 0.0) + rng.normal(0.0, 0.02)
        s, d = bay.s + rng.uniform(-0.3, 0.3), bay.d + rng.normal(0.0, 0.06)
        for outwards in (0.0, 0.2, 0.4):  # a wide one stands with two wheels on the kerb
            if site.stand_countable(kind, rng, s, d + flank.sign * outwards, yaw=yaw, z=0.0, inner_m=flank.road):
                break


def _draw_kind(site: Site, rng: np.random.Generator, flank: Flank) -> Kind:
    heavy = 3.0 if site.district.name == "works" else 1.0
    fits = [(kind, share * (heavy if kind in ("truck", "trailer") else 1.0))
            for kind, share, need in _PARKED if flank.side.parking_m >= need]  # fmt: skip
    share = np.array([share for _, share in fits])
    return fits[int(rng.choice(len(fits), p=share / share.sum()))][0]


def furnish_kerb(site: Site, flank: Flank) -> None:
    """Lamps, signs, trees."""
    rng, kerb = site.rng(Trade.KERBSIDE, flank.sign), flank.sign * (flank.kerb + 0.35)
    if site.number % 2 == (flank.sign > 0) and site.district.name != "country":
        site.stand(objects.lamp(rng), site.begin_s + 5.0, kerb, yaw=-flank.sign * math.pi / 2, z=KERB_M)
    for _ in range(int(rng.poisson(0.6))):
        s = rng.uniform(site.begin_s + 1.0, site.end_s - 1.0)
        site.stand(objects.sign(rng), s, kerb, yaw=flank.travel + rng.normal(0, 0.08), z=KERB_M)
    if site.crossing is not None and not site.crossing.signals:
        ahead = 1 if flank.sign < 0 else -1  # priority sign, or the zebra's
        s = site.crossing.s - ahead * (site.crossing.clear_m + 1.0)
        site.stand(objects.sign(rng, "priority"), s, kerb, yaw=flank.travel, z=KERB_M)
    _plant(site, flank, rng)
    _hedge_strips(site, flank, rng)
    if site.district.name == "country" and flank.side.sidewalk_m == 0.0:
        _delineators(site, flank)


def _plant(site: Site, flank: Flank, rng: np.random.Generator) -> None:
    avenue = site.plan.left.verge_m + site.plan.right.verge_m > 2.0 or site.district.terraced
    side = flank.side
    if not avenue or (side.verge_m < 1.0 and side.sidewalk_m < _TREES_FROM_M):
        return
    d = flank.sign * (flank.kerb + max(side.verge_m / 2, 0.7))
    for s in np.arange(site.begin_s + 3.0, site.end_s - 1.0, max(9.0, site.district.tree_m)):
        if rng.random() < 0.38:
            site.stand(objects.tree(rng, rng.uniform(6.0, 13.0), pruned=True), s, d, soft=True, z=KERB_M)


def _hedge_strips(site: Site, flank: Flank, rng: np.random.Generator) -> None:
    """Low shrubs in pieces on the verge, and on the central reservation: as towns plant them."""
    verge, island = flank.side.verge_m, site.plan.island_m
    town = site.district.name in ("city", "avenue", "residential", "works")
    if not town or site.crossing is not None:
        return
    planted = rng.random() < 0.5
    for s in np.arange(site.begin_s + 3.0, site.end_s - 2.0, 6.0):
        if planted and verge > 1.4 and not flank.side.gravel:
            shrubs = objects.hedge(rng, 5.0, rng.uniform(0.4, 0.9))
            site.stand(shrubs, float(s), flank.sign * (flank.kerb + verge / 2), z=KERB_M, draped=True)
        if island > 2.0 and flank.sign > 0 and not site.plan.left.gravel:
            shrubs = objects.hedge(rng, 5.2, rng.uniform(0.5, 1.1))
            site.stand(shrubs, float(s), 0.01, z=KERB_M, inner_m=-island / 2, draped=True)


def _delineators(site: Site, flank: Flank) -> None:
    """White posts along a country road."""
    white, black = Look(80, Material.WOOD, (0.9, 0.9, 0.88)), Look(80, Material.RETRO, (0.1, 0.1, 0.1))
    post = join([box((0.12, 0.12, 0.75), (0, 0, 0.375), white), box((0.12, 0.12, 0.2), (0, 0, 0.85), black)])
    site.stand(post, site.begin_s + 15.0, flank.sign * (flank.kerb + 0.6), z=KERB_M)


def _shelter(site: Site, stop: BusStop) -> None:
    """A bus shelter at the back of the sidewalk, and the stop's sign at the kerb."""
    flank = site.flank(stop.d)
    depth = 1.4
    d = flank.sign * (flank.front + depth / 2 + 0.05 if flank.side.garden_m > depth + 0.2 else flank.front - 0.5)
    if flank.side.garden_m > depth + 0.2:
        site.stand(objects.shelter(depth), stop.s + 5.0 * stop.sign, d, yaw=flank.facing, z=KERB_M)
    metal, plate = Look(80, Material.METAL, (0.3, 0.35, 0.3)), Look(81, Material.RETRO, (0.85, 0.75, 0.1))
    pole = join([tube((0, 0, 0), (0, 0, 2.9), (0.04, 0.04), metal, 6), box((0.05, 0.42, 0.42), (0, 0, 2.6), plate)])
    site.stand(pole, stop.s + 0.8 * stop.sign, flank.sign * (flank.kerb + 0.35), yaw=flank.travel, z=KERB_M)
