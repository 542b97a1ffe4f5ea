"""Where a side street meets the street: its mouth with rounded kerbs, its own road, sidewalks, houses and cars."""

from __future__ import annotations

import math

import numpy as np

from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, box, join, tube
from simulation.world.flank import Flank
from simulation.world.ground import GRASS, SIDEWALK, road_look
from simulation.world.houses import draw_house
from simulation.world.layout import SIDE_REACH_M, Crossing
from simulation.world.relief import KERB_M
from simulation.world.site import Site, Trade

ARM_REACH_M = 28.0  # within this of a side street's middle its own houses and gardens are
PARKING_M = 2.2  # width of the parking strip along one side of a side street
_MOUTH_ROWS = 7


def lay_junction(site: Site) -> None:
    """The ground of the side streets, and the poles of signals."""
    crossing = site.crossing
    if crossing is None:
        return
    for flank in site.flanks:
        if flank.sign in crossing.arms:
            _lay_arm(site, crossing, flank)
            for side in (1, -1):
                _lay_corner(site, crossing, flank, side)
    for head in crossing.heads:
        _stand_signal(site, head.s, head.d, head.yaw, head.height_m)


def arm_edge_m(crossing: Crossing) -> float:
    """From the middle of a side street to where gardens begin."""
    return crossing.half_width_m + PARKING_M + crossing.sidewalk_m


def _rows(site: Site, crossing: Crossing, flank: Flank, from_d: float, to_d: float) -> np.ndarray:
    """Distances from the centre line at which the side street is sampled, between two of them."""
    curve = flank.road + crossing.corner_m * (1.0 - np.cos(np.linspace(0.0, math.pi / 2, _MOUTH_ROWS)))
    end = _end_m(site, crossing, flank)
    straight = np.arange(flank.road + crossing.corner_m, end, 4.0)
    rows = np.unique(np.concatenate([curve, straight, [from_d, to_d]]))
    return rows[(rows >= from_d) & (rows <= to_d)]


def _end_m(site: Site, crossing: Crossing, flank: Flank) -> float:
    return min(SIDE_REACH_M, float(site.reach_m(crossing.s, flank)))


def _lay_arm(site: Site, crossing: Crossing, flank: Flank) -> None:
    d = _rows(site, crossing, flank, flank.road, _end_m(site, crossing, flank))
    edge = crossing.kerb_m(d - flank.road) + 0.02  # under the kerbs: no slit beside them
    offset = edge[:, None] * np.linspace(-1.0, 1.0, 9)
    points = np.stack([crossing.s + offset, np.broadcast_to(flank.sign * d[:, None], offset.shape), 0 * offset], 2)
    under = points[:1] - (0.0, flank.sign * 0.03, 0.003)  # the main carriageway: no slit between the two
    points = np.concatenate([under, points])
    site.pave(points, [road_look(site)] * 8, 80)


def _lay_corner(site: Site, crossing: Crossing, flank: Flank, side: int) -> None:
    """What lies beside one kerb of the side street, as far as the junction reaches. ``side``: +1 towards greater s."""
    end, reach = _end_m(site, crossing, flank), crossing.clear_m
    parked = side == flank.sign  # the strip is on the right of traffic that leaves the street
    strip_d = flank.front + 5.0
    pieces = [(flank.road, flank.front, 0.0), (flank.front, strip_d, 0.0), (strip_d, end, PARKING_M if parked else 0.0)]
    for k, (from_d, to_d, parking) in enumerate(pieces):
        d = _rows(site, crossing, flank, from_d, to_d)
        kerb = crossing.kerb_m(d - flank.road)
        inner = np.minimum(kerb + parking + crossing.sidewalk_m, reach)
        if k == 0:
            inner = np.full_like(kerb, reach)  # the main street's own sidewalk goes round the corner
        columns = [(kerb, 0.0), (kerb + parking, 0.0), (kerb + parking, KERB_M), (inner, KERB_M), (reach, KERB_M)]
        looks = [road_look(site), SIDEWALK, SIDEWALK, GRASS]
        s = np.stack([np.broadcast_to(column, d.shape) for column, _ in columns], 1)
        z = np.broadcast_to([z for _, z in columns], s.shape).copy()
        if k > 0:
            z[:, -1] = site.land_z(crossing.s + side * reach, d, flank)
        s, d, z = (np.concatenate([a[:1], a, a[-1:]]) for a in (s, d, z))
        z[[0, -1]] -= 0.4  # the ends dip under what adjoins them, so that no slit opens where lines across bend
        d[[0, -1]] += -0.03, 0.03
        points = np.stack([crossing.s + side * s, np.broadcast_to(flank.sign * d[:, None], s.shape), z], 2)
        site.pave(points, looks, 96 + 16 * (side > 0) + 4 * k)


def _stand_signal(site: Site, s: float, d: float, yaw: float, height_m: float) -> None:
    """A signal's pole; its lit head is traffic's, and hangs before it."""
    metal = Look(80, Material.METAL, (0.3, 0.32, 0.3))
    pole = tube((0.08, 0, 0), (0.08, 0, height_m + 0.6), (0.07, 0.06), metal)
    site.stand(pole, s, d, yaw=yaw, z=KERB_M, inner_m=site.plan.half_road_m)


def line_side_streets(site: Site) -> None:
    """Houses, gardens, parked cars and trees along the side streets."""
    crossing, rng = site.crossing, site.rng(Trade.CROSSING)
    if crossing is None:
        return
    for flank in site.flanks:
        if flank.sign in crossing.arms:
            _park(site, rng, crossing, flank)
            for side in (1, -1):
                _give_way(site, rng, crossing, flank, side)
                _line(site, rng, crossing, flank, side)


def _park(site: Site, rng: np.random.Generator, crossing: Crossing, flank: Flank) -> None:
    end = min(_end_m(site, crossing, flank), 60.0) - 4.0
    for d in np.arange(flank.front + 9.0, end, 6.0):
        if rng.random() < max(site.district.parked, 0.15) * site.plan.parked:
            s = crossing.s + flank.sign * (crossing.half_width_m + PARKING_M / 2)
            yaw = flank.sign * math.pi / 2 + rng.normal(0.0, 0.02)
            site.stand_countable("car", rng, s, flank.sign * d, yaw=yaw, z=0.0)


def _give_way(site: Site, rng: np.random.Generator, crossing: Crossing, flank: Flank, side: int) -> None:
    """The sign for traffic that comes out of the side street; on the other corner, the plate with its name."""
    d = flank.front + 0.4
    s = crossing.s + side * (float(crossing.kerb_m(d - 0.2 - flank.road)) + 0.6)
    if side == -flank.sign and not crossing.signals:
        site.stand(objects.sign(rng, "give way"), s, flank.sign * (d + 0.3), yaw=-flank.sign * math.pi / 2)
    elif side == flank.sign:
        metal, blue = Look(80, Material.METAL, (0.5, 0.5, 0.5)), Look(81, Material.RETRO, (0.1, 0.2, 0.5))
        post = tube((0, 0, 0), (0, 0, 2.6), (0.035, 0.035), metal, 6)
        plate = box((0.9, 0.03, 0.2), (0.0, 0.05, 2.5), blue)
        site.stand(join([post, plate]), s, flank.sign * (d + 0.3))


def _line(site: Site, rng: np.random.Generator, crossing: Crossing, flank: Flank, side: int) -> None:
    """Plots along one side of a side street, behind the corner houses."""
    district, edge = site.district, arm_edge_m(crossing)
    garden = 1.0 if district.terraced else rng.uniform(2.0, 5.0)
    end = min(_end_m(site, crossing, flank), 75.0)
    d = flank.line + rng.uniform(13.5, 16.0)
    while d < end - 8.0:
        wide = rng.uniform(9.0, 14.0)
        middle, facing = flank.sign * (d + wide / 2), side * math.pi / 2
        if rng.random() < district.building:
            length = wide if district.terraced else 0.75 * wide
            house, depth = draw_house(rng, district, length)
            if edge + garden + depth < ARM_REACH_M:
                site.raise_house(house, crossing.s + side * (edge + garden), middle, (length, depth), -facing)
        elif rng.random() < 0.7:
            tree = objects.tree(rng, rng.uniform(6.0, 12.0))
            site.stand(tree, crossing.s + side * min(edge + 2.5, 13.0), middle, soft=True)
        if garden > 1.5 and rng.random() < district.boundary:
            s = crossing.s + side * (edge + 0.35)
            thing = objects.fence(rng, wide - 0.3) if rng.random() < 0.5 else objects.hedge(rng, wide - 0.3, 1.4)
            site.stand(thing, s, middle, yaw=math.pi / 2)
        d += wide
