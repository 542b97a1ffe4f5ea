"""What is painted on the road: lane lines, stop lines, zebras, arrows, give-way teeth, cycle lanes, parking bays."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, mesh
from simulation.world.flank import Flank
from simulation.world.layout import ZEBRA_M, Crossing
from simulation.world.site import Site

_PAINT = Look(60, Material.PAINT_MARK, (0.85, 0.85, 0.83))
_CYCLE_RED = Look(40, Material.ASPHALT, (0.45, 0.2, 0.17))
_ABOVE_M = 0.005
_LINE_M = 0.12
_PIECE_M = 1.0
# Outlines (m), ahead and to the left: an arrow straight on, and the head of one that turns left.
_SHAFT = ((-1.5, -0.08), (0.4, -0.08), (0.4, 0.08), (-1.5, 0.08))
_TIP = ((0.4, -0.3), (1.5, 0.0), (1.5, 0.0), (0.4, 0.3))
_TURN = ((-0.3, 0.08), (0.1, 0.4), (0.25, 0.4), (0.1, 0.08))
_TURN_TIP = ((-0.12, 0.35), (0.15, 0.95), (0.15, 0.95), (0.5, 0.35))


class Paint:
    """Quadrilaterals in (s, d), collected and laid just over the asphalt in one go."""

    def __init__(self) -> None:
        self._corners: list[tuple[tuple[float, float], ...]] = []

    def stripe(self, from_s: float, to_s: float, from_d: float, to_d: float) -> None:
        """A rectangle, in pieces small enough to follow the road's crown and waves."""
        for s0, s1 in pairwise(_cuts(from_s, to_s)):
            for d0, d1 in pairwise(_cuts(from_d, to_d)):
                self._corners.append(((s0, d0), (s1, d0), (s1, d1), (s0, d1)))

    def outline(self, corners: tuple[tuple[float, float], ...], s: float, d: float, ahead: int) -> None:
        """A shape given ahead and to the left, for traffic along +s (``ahead`` 1) or against it (-1)."""
        self._corners.append(tuple((s + ahead * x, d + ahead * y) for x, y in corners))

    def lay(self, site: Site, look: Look, above_m: float, object_id: int) -> None:
        """Put it on the road."""
        if not self._corners:
            return
        s, d = np.array(self._corners).reshape(-1, 2).T
        vertices = np.stack([*site.line.at(s, d), site.line.height(s, d) + above_m], 1)
        first = 4 * np.arange(len(self._corners))[:, None]
        triangles = (first + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
        site.parts.append(mesh(vertices, triangles, look).owned(object_id))


def _cuts(a: float, b: float) -> list[float]:
    return np.linspace(a, b, max(1, math.ceil(abs(b - a) / _PIECE_M - 1e-6)) + 1).tolist()


def paint_markings(site: Site) -> None:
    """All markings of the stretch."""
    paint = Paint()
    _lane_lines(site, paint)
    for flank in site.flanks:
        _edge(site, paint, flank)
    if site.crossing is not None:
        _junction(site, site.crossing, paint)
    paint.lay(site, _PAINT, _ABOVE_M, 2)


def _open(site: Site, from_s: float, to_s: float, flank: Flank | None = None) -> bool:
    """Whether lines run on between two points: not across a zebra, nor (of one side) across a side street's mouth."""
    crossing = site.crossing
    if crossing is None:
        return True
    zebra = crossing.zebra_s
    if zebra is not None and from_s < zebra + ZEBRA_M / 2 + 0.3 and to_s > zebra - ZEBRA_M / 2 - 0.9:
        return False
    mouth = crossing.half_width_m + crossing.corner_m
    joined = flank is None or flank.sign in crossing.arms
    return not (joined and from_s < crossing.s + mouth and to_s > crossing.s - mouth)


def _lane_lines(site: Site, paint: Paint) -> None:
    plan = site.plan
    lines = [sign * (plan.lane_d(k) + plan.lane_m / 2) for k in range(plan.lanes - 1) for sign in (1, -1)]
    lines += [] if plan.island_m or not plan.centre_marked else [0.0]
    for s in np.arange(site.begin_s, site.end_s, 6.0):
        if _open(site, s, s + 3.0):
            for d in lines:
                paint.stripe(s, s + 3.0, d - _LINE_M / 2, d + _LINE_M / 2)


def _edge(site: Site, paint: Paint, flank: Flank) -> None:
    """Edge lines outside towns, cycle lanes, and the corners of parking bays."""
    plan, red = site.plan, Paint()
    for s in np.arange(site.begin_s, site.end_s, 1.0):
        if plan.district == "country" and _open(site, s, s + 1.0, flank):
            paint.stripe(s, s + 1.0, flank.sign * (flank.road - 0.3), flank.sign * (flank.road - 0.18))
        elif plan.cycle_m and _open(site, s, s + 1.0):
            inner = flank.road - plan.cycle_m
            paint.stripe(s, s + 1.0, flank.sign * inner, flank.sign * (inner + _LINE_M))
            if plan.cycle_red:
                red.stripe(s, s + 1.0, flank.sign * (inner + _LINE_M), flank.sign * (flank.road - 0.02))
    red.lay(site, _CYCLE_RED, _ABOVE_M / 2, 3)
    if flank.side.bays_marked:
        for bay in (*site.layout.bays, *site.layout.free_bays):
            if bay.d * flank.sign > 0:
                for s in (bay.s - 3.0, bay.s + 3.0):
                    paint.stripe(s - 0.05, s + 0.05, flank.sign * flank.road, bay.d + flank.sign * 0.6)


def _junction(site: Site, crossing: Crossing, paint: Paint) -> None:
    plan, inner = site.plan, site.plan.island_m / 2
    outer = plan.half_road_m - plan.cycle_m
    if crossing.zebra_s is not None:
        from_s, to_s = crossing.zebra_s - ZEBRA_M / 2, crossing.zebra_s + ZEBRA_M / 2
        for d in np.arange(0.25 - plan.half_road_m, plan.half_road_m - 0.5, 1.0):
            if max(abs(d), abs(d + 0.5)) > inner + 0.1 and min(abs(d), abs(d + 0.5)) > inner:
                paint.stripe(from_s, to_s, d, d + 0.5)
    for ahead, stop in ((1, crossing.stop_s[0]), (-1, crossing.stop_s[1])):
        if crossing.signals or (ahead == 1 and crossing.zebra_s is not None):
            paint.stripe(stop, stop - ahead * 0.4, -ahead * (outer - 0.1), -ahead * (inner + 0.15))
        if crossing.signals:
            for lane in range(plan.lanes):
                _arrow(paint, stop - ahead * 6.0, -ahead * plan.lane_d(lane), ahead, turns=lane == 0)
    for flank in site.flanks:
        if flank.sign in crossing.arms:
            _side_street(crossing, flank, paint)


def _arrow(paint: Paint, s: float, d: float, ahead: int, turns: bool) -> None:
    paint.outline(_SHAFT, s, d, ahead)
    paint.outline(_TIP, s, d, ahead)
    if turns:
        paint.outline(_TURN, s, d, ahead)
        paint.outline(_TURN_TIP, s, d, ahead)


def _side_street(crossing: Crossing, flank: Flank, paint: Paint) -> None:
    """A stop line, or the teeth of a give-way line, and a dashed middle."""
    sign, half = flank.sign, crossing.half_width_m
    stop = crossing.stop_d[0] if sign > 0 else crossing.stop_d[1]
    approach = -sign  # traffic that comes out of the side street is on this side of its middle, along s
    near, far = sorted((crossing.s + approach * 0.15, crossing.s + approach * (half - 0.15)))
    if crossing.signals:
        paint.stripe(near, far, sign * stop, sign * (stop + 0.4))
    else:
        for s in np.arange(near, far - 0.5, 0.75):
            teeth = ((s, sign * (stop + 0.6)), (s + 0.5, sign * (stop + 0.6)))
            paint.outline((*teeth, (s + 0.25, sign * stop), (s + 0.25, sign * stop)), 0.0, 0.0, 1)
    for d in np.arange(stop + 1.5, stop + 31.0, 6.0):
        paint.stripe(crossing.s - _LINE_M / 2, crossing.s + _LINE_M / 2, sign * d, sign * (d + 3.0))
