"""The ground from side to side: carriageway, parking strip, kerb, verge, sidewalk, gardens and the land behind."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look
from simulation.world.flank import Flank
from simulation.world.layout import Crossing
from simulation.world.plan import generator
from simulation.world.relief import KERB_M
from simulation.world.site import EDGE_M, Site

ROAD = Look(40, Material.ASPHALT, (0.33, 0.33, 0.34))
PARKING = Look(44, Material.PARKING, (0.4, 0.39, 0.38))
SIDEWALK = Look(48, Material.PAVING, (0.55, 0.53, 0.5))
GRASS = Look(72, Material.GRASS, (0.34, 0.42, 0.18))
GRAVEL = Look(49, Material.GRAVEL, (0.5, 0.47, 0.42))
_LANDS = (
    GRASS,
    Look(72, Material.GRASS, (0.43, 0.45, 0.2)),  # meadow
    Look(72, Material.GRASS, (0.38, 0.3, 0.2)),  # ploughed
    Look(72, Material.GRASS, (0.55, 0.49, 0.25)),  # stubble
)
_ROW_M = 1.25
_SKIRT_M = 0.4  # short skirts close the gaps where two ribbons meet
_TUSSOCK_M = 1.6
_LAND_STRIPS_M = (3.0, 4.0, 5.0, 7.0, 9.0, 12.0, 25.0, 25.0)


def road_look(site: Site) -> Look:
    """Asphalt as this street has it."""
    return ROAD._replace(rgb=tuple(min(site.plan.road_shade * c, 1.0) for c in ROAD.rgb))


def lay_ground(site: Site) -> None:
    """All ground of the stretch but its side streets."""
    plan = site.plan
    half, island = plan.half_road_m, plan.island_m / 2
    rows = _rows(site.begin_s, site.end_s)
    across = [(float(d), 0.0) for d in _columns(half)]
    ribbon(site, rows, across, [road_look(site)] * (len(across) - 1), 256)
    if island:
        look = GRAVEL if plan.left.gravel else GRASS
        section = [(-island, 0.0), (-island, KERB_M), (island, KERB_M), (island, 0.0)]
        for a, b in _pieces(site, site.crossing):
            ribbon(site, _rows(a, b), section, [look] * 3, 8)
    for flank in site.flanks:
        for a, b in _pieces(site, site.arm(flank)):
            _lay_roadside(site, flank, a, b)


def _columns(half_m: float) -> np.ndarray:
    """Across a carriageway: close together in its middle and at its gutters, where the fall changes."""
    inner = np.linspace(0.0, half_m - 0.35, math.ceil(half_m / 1.2) + 1)
    out = np.unique([0.0, 0.3, *inner[inner > 0.5], half_m])
    return np.concatenate([-out[:0:-1], out])


def ribbon(
    site: Site, s: np.ndarray, section: list[tuple[float, float]], looks: list[Look], object_id: int, sign: int = 1
) -> None:
    """A cross-section of (d, metres over the road) drawn along ``s`` [R]."""
    s = np.concatenate([s[:1], s, s[-1:]])
    d, z = np.array(section).T
    points = np.stack(np.broadcast_arrays(s[:, None], sign * d, z), 2).copy()
    for c in range(1, len(looks)):
        if looks[c - 1] is looks[c] is GRASS:
            points[:, c, 2] -= _dents_m(points[:, c, 0], points[:, c, 1])
    points[[0, -1], :, 2] -= _SKIRT_M
    site.pave(points, looks, object_id)


def _lay_roadside(site: Site, flank: Flank, from_s: float, to_s: float) -> None:
    side = flank.side
    soft = GRAVEL if side.gravel else GRASS
    yard = SIDEWALK if site.district.terraced and side.garden_m < 2.0 else GRASS
    crossing = site.crossing
    if crossing is not None and side.parking_m:  # near a junction the kerb is built out over the parking strip
        near = crossing.s - crossing.clear_m, crossing.s + crossing.clear_m
        cuts = sorted({from_s, to_s, *(min(max(s, from_s), to_s) for s in near)})
    else:
        cuts = [from_s, to_s]
    for a, b in pairwise(cuts):
        parking = side.parking_m
        if crossing is not None and abs((a + b) / 2 - crossing.s) < crossing.clear_m:
            parking = 0.0
        strips = [(parking, 0.0, PARKING if side.bays_marked else road_look(site)), (0.0, KERB_M, SIDEWALK)]
        strips += [(side.parking_m - parking, KERB_M, SIDEWALK), (side.verge_m, KERB_M, soft)]
        strips += [(side.sidewalk_m, KERB_M, SIDEWALK), (side.garden_m, KERB_M, yard)]
        section, looks = [(flank.road, 0.0)], []
        for width, z, look in strips:
            if width > 0.0 or z != section[-1][1]:
                count = max(1, round(width / _TUSSOCK_M)) if look is GRASS else 1
                start = section[-1][0]
                section += [(start + width * (k + 1) / count, z) for k in range(count)]
                looks += [look] * count
        ribbon(site, _rows(a, b), section, looks, 16 if flank.sign > 0 else 32, flank.sign)
    _lay_land(site, flank, _rows(from_s, to_s))


def _lay_land(site: Site, flank: Flank, s: np.ndarray) -> None:
    """What lies behind the building line."""
    zone = generator(site.seed, 5, site.number // 4, flank.sign)
    look = _LANDS[int(zone.integers(len(_LANDS)))] if site.district.name == "country" else GRASS
    d = np.minimum(flank.line + np.cumsum([0.0, *_LAND_STRIPS_M]), EDGE_M)[None]
    s = np.concatenate([s[:1], s, s[-1:]])[:, None]
    d = np.minimum(d, np.maximum(site.reach_m(s, flank), flank.line))
    z = site.land_z(s, d, flank)
    z[:, 1:-1] -= _dents_m(s, d[:, 1:-1])
    z[[0, -1]] -= _SKIRT_M
    points = np.stack([np.broadcast_to(s, d.shape), flank.sign * d, z], 2)
    site.pave(points, [look] * (d.shape[1] - 1), 48 if flank.sign > 0 else 64)


def _dents_m(s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """How far grass lies below the level on which things stand: 0 to 7 cm."""
    return 0.035 * (1.0 + np.sin(1.7 * s + 0.9 * d) * np.sin(1.1 * d - 0.8 * s))


def _pieces(site: Site, crossing: Crossing | None) -> list[tuple[float, float]]:
    """The stretch from end to end, without the junction where there is one."""
    if crossing is None:
        return [(site.begin_s, site.end_s)]
    return [(site.begin_s, crossing.s - crossing.clear_m), (crossing.s + crossing.clear_m, site.end_s)]


def _rows(from_s: float, to_s: float) -> np.ndarray:
    return np.linspace(from_s, to_s, int((to_s - from_s) / _ROW_M) + 2)
