"""A road or railway that crosses the street on a bridge: deck, parapets, abutments and embankments."""

from __future__ import annotations

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, join
from simulation.world.flank import Flank
from simulation.world.layout import STRETCH_M
from simulation.world.site import Site, Trade

_SHARE = 0.03  # of stretches without a junction
_REACH_M = 45.0  # the embankments end this far from the centre line
_CLEAR_M, _DECK_M = 4.7, 0.9  # height under the deck, its thickness
_CONCRETE = Look(52, Material.PLASTER, (0.56, 0.55, 0.52))
_STEEL = Look(52, Material.METAL, (0.25, 0.3, 0.28))
_SLOPE = Look(72, Material.GRASS, (0.33, 0.4, 0.18))


def span_bridge(site: Site) -> None:
    """Lead another way over the street, now and then."""
    rng = site.rng(Trade.BRIDGE)
    wide = rng.uniform(5.0, 9.0)
    layout = site.layout
    if rng.random() > _SHARE or layout.crossing or layout.works or layout.bus_stop:
        return
    s = site.begin_s + STRETCH_M / 2
    if any(float(site.reach_m(s, flank)) < _REACH_M for flank in site.flanks):
        return
    for flank in site.flanks:
        _bank(site, flank, s, wide)
    left, right = site.flanks[0].front + 1.6, site.flanks[1].front + 1.6
    deck = join([_deck(wide, left + right), *(_parapet(x, left + right) for x in (-wide / 2 + 0.2, wide / 2 - 0.2))])
    site.hang(deck, s, (left - right) / 2, _CLEAR_M)


def _bank(site: Site, flank: Flank, s: float, wide: float) -> None:
    """The abutment on one side, and the embankment behind it."""
    near, far = flank.front + 0.6, _REACH_M - 2.0
    top = _CLEAR_M + _DECK_M
    half, run = (far - near - 1.0) / 2, min(wide / 2 + 1.2 * top, 14.0)
    wall = box((wide, 1.0, top + 1.5), (0.0, 0.0, (top - 1.5) / 2), _CONCRETE)
    earth = frustum((-run, run, -half, half), (-wide / 2, wide / 2, -half, half), (-1.5, top - 0.05), _SLOPE)
    site.stand(wall, s, flank.sign * (near + 0.5), z=0.0)
    site.stand(earth, s, flank.sign * (near + 1.05 + half), z=0.0)


def _deck(wide: float, long: float) -> Mesh:
    return box((wide, long, _DECK_M), (0.0, 0.0, _DECK_M / 2), _CONCRETE)


def _parapet(x: float, long: float) -> Mesh:
    posts = [box((0.06, 0.06, 1.1), (x, y, _DECK_M + 0.55), _STEEL) for y in np.arange(-long / 2 + 0.1, long / 2, 2.0)]
    rails = [box((0.05, long, 0.06), (x, 0.0, _DECK_M + z), _STEEL) for z in (0.35, 0.7, 1.1)]
    return join([*posts, *rails])
