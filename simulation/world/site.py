"""A stretch of street under construction: its places, what stands there so far, and which ground is taken."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import IntEnum

import numpy as np

from simulation.actors import Actor, Kind
from simulation.scene import Body, Placed
from simulation.shapes.catalogue import draw_model
from simulation.shapes.mesh import Look, Mesh, surface
from simulation.world.centreline import Centreline, turn
from simulation.world.flank import Flank
from simulation.world.footprints import Footprint, Footprints
from simulation.world.layout import STRETCH_M, ZEBRA_M, Crossing, draw_layout
from simulation.world.plan import DISTRICTS, Plan, generator
from simulation.world.relief import KERB_M

EDGE_M = 90.0  # the ground ends this far from the centre line
_LOW_M = 2.3  # what is lower than this over the ground is in the way of people and cars
_MOST_THINGS = 127  # countable ones per stretch: their track ids are unique within 258 stretches


class Trade(IntEnum):
    """Who builds. Each has its own random numbers: a change of one leaves the others' work as it was."""

    CROSSING = 1
    HOUSES = 2
    PARKING = 3
    KERBSIDE = 4
    PAVEMENT = 5
    LAND = 7
    WORKS = 8
    BRIDGE = 9


class Site:
    """Stretch ``number`` of a street, from ``number``·30 m on. The builders of this package fill it."""

    def __init__(self, seed: int, plan: Plan, line: Centreline, number: int) -> None:
        self.plan, self.line, self.number, self.seed = plan, line, number, seed
        self.begin_s, self.end_s = number * STRETCH_M, (number + 1) * STRETCH_M
        zone = generator(seed, 1, number // 5)
        self.district = plan.home() if zone.random() < 0.7 else DISTRICTS[int(zone.integers(len(DISTRICTS)))]
        self.layout = draw_layout(seed, plan, number)
        self.crossing = self.layout.crossing
        self.flanks = (Flank(1, plan.left, plan.half_road_m), Flank(-1, plan.right, plan.half_road_m))
        near = (draw_layout(seed, plan, number + k).crossing for k in (-1, 0, 1))
        self._crossings_near = [crossing for crossing in near if crossing is not None]
        self.parts: list[Mesh] = []
        self.things: list[Actor] = []
        self._solids, self._plants, self._houses, self._objects = Footprints(), Footprints(), Footprints(), 0

    def rng(self, trade: Trade, sign: int = 0) -> np.random.Generator:
        """A generator of one trade on this stretch, on one side of the street."""
        return generator(self.seed, 2, self.number, int(trade), sign)

    def flank(self, d: float) -> Flank:
        """The side of the street on which ``d`` is."""
        return self.flanks[0] if d > 0 else self.flanks[1]

    def arm(self, flank: Flank) -> Crossing | None:
        """The crossing, if a side street leaves on this flank."""
        return self.crossing if self.crossing is not None and flank.sign in self.crossing.arms else None

    # The lie of the land

    def land_z(self, s: np.ndarray | float, d: np.ndarray | float, flank: Flank) -> np.ndarray:
        """Height over the road of the ground ``d`` (unsigned) off the centre line: level as far as the building line
        and at side streets, rolling beyond."""
        s, out = np.asarray(s, float), np.maximum(np.asarray(d, float) - flank.line, 0.0)
        rolling = 0.35 * np.sin(s / 9.0 + 0.3 * out) + 0.25 * np.sin(s / 4.1 - out / 5.0)
        rise = flank.side.slope * np.minimum(out, 30.0) + rolling * np.clip(out / 8.0, 0.0, 1.0)
        for crossing in self._crossings_near:
            if flank.sign in crossing.arms:
                rise = rise * np.clip((np.abs(s - crossing.s) - 10.0) / 10.0, 0.0, 1.0)
        return KERB_M + np.maximum(rise, -0.8)

    def reach_m(self, s: np.ndarray | float, flank: Flank) -> np.ndarray:
        """How far from the centre line there is ground: on the inside of a bend it ends before lines across meet."""
        inward = np.maximum(flank.sign * self.line.curvature(s), 1e-9)
        return np.minimum(EDGE_M, 0.8 / inward)

    def scale(self, s: float, d: float) -> float:
        """Metres of ground at (s, d) to a metre of centre line."""
        return 1.0 - d * float(self.line.curvature(s))

    def beside_arm(self, s: float, d: float, width_m: float) -> bool:
        """Whether (s, d) is nearer than ``width_m`` to the middle of a side street on that side."""
        sign = 1 if d > 0 else -1
        return any(sign in c.arms and abs(s - c.s) < width_m for c in self._crossings_near)

    # Building

    def pave(self, points: np.ndarray, looks: list[Look], object_id: int) -> None:
        """Ground through ``points`` [R,C,3] (s, d, metres over the road); ``looks`` [C-1] for the strips between."""
        s, d, z = np.moveaxis(points, 2, 0)
        x, y = self.line.at(s, d)
        placed = np.stack([x, y, self.line.height(s, d, z)], 2)
        for c, look in enumerate(looks):
            self.parts.append(surface(placed[:, c : c + 2], [look]).owned(object_id + c))

    def stand(
        self,
        thing: Mesh,
        s: float,
        d: float,
        *,
        yaw: float = 0.0,
        z: float | None = None,
        inner_m: float | None = None,
        soft: bool = False,
        draped: bool = False,
        slack_m: float = 0.0,
    ) -> bool:
        """Stand ``thing`` upright at (s, d), turned by ``yaw`` against the street, unless something is in its way.

        ``z``: its ground over the road, by default the land's. No part of it comes nearer to the centre line than
        ``inner_m`` (the kerb). ``soft`` things, plants, may touch each other; ``draped`` ones follow the slope, as
        fences do; ``slack_m`` is how far it may reach into its neighbours. Returns whether it stands.
        """
        flank = self.flank(d)
        low = thing.vertices[thing.vertices[:, 2] < _LOW_M]
        footprint = self._footprint(low, s, d, yaw)
        crown = self._footprint(thing.vertices, s, d, yaw).shrunk(0.75)
        checked = footprint.shrunk(0.75) if soft else footprint
        checked = checked._replace(half_length=max(checked.half_length - slack_m, 0.05))
        if self._off_limits(checked, s, d, flank.kerb if inner_m is None else inner_m):
            return False
        if self._solids.overlap(checked) or self._houses.overlap(crown):
            return False
        (self._plants if soft else self._solids).add(footprint.shrunk(0.3) if soft else footprint)
        z = float(self.land_z(s, abs(d), flank)) if z is None else z
        pose = self._upright(s, d, yaw, z)
        self.parts.append(_moved(thing, pose, float(self.line.grade(s)) if draped else 0.0, yaw).owned(self._next()))
        return True

    def raise_house(self, house: Mesh, s: float, d: float, size: tuple[float, float], yaw: float) -> bool:
        """Build ``house``, ``size`` (length, depth) metres, its front's middle at (s, d), if its ground is free."""
        length, depth = size
        core = np.array([(x, y, 0.0) for x in (-length / 2, length / 2) for y in (0.0, depth)])
        footprint = self._footprint(core, s, d, yaw)
        if any(taken.overlap(footprint) for taken in (self._solids, self._plants)):
            return False
        if self._houses.overlap(footprint.shrunk(0.97)):
            return False
        porch = core + np.array([[[0.0, -1.3, 0.0]], [[0.0, 0.5, 0.0]]])
        self._houses.add(self._footprint(porch.reshape(-1, 3), s, d, yaw)._replace(half_length=length / 2 - 0.01))
        z = float(self.land_z(s, abs(d), self.flank(d)))
        self.parts.append(_moved(house, self._upright(s, d, yaw, z)).owned(self._next()))
        return True

    def stand_countable(
        self,
        kind: Kind,
        rng: np.random.Generator,
        s: float,
        d: float,
        *,
        yaw: float = 0.0,
        z: float | None = None,
        inner_m: float | None = None,
    ) -> bool:
        """Stand a vehicle, a cycle or a person there, unless something is in its way; vehicles tilt with the road."""
        if len(self.things) == _MOST_THINGS:
            return False
        thing = draw_model(kind, rng).mesh(moving=False)
        flank = self.flank(d)
        footprint = self._footprint(thing.vertices, s, d, yaw)
        if self._off_limits(footprint, s, d, flank.kerb if inner_m is None else inner_m):
            return False
        if self._solids.overlap(footprint) or self._houses.overlap(footprint):
            return False
        self._solids.add(footprint)
        z = float(self.land_z(s, abs(d), flank)) if z is None else z
        pose = self._upright(s, d, yaw, z) if kind == "pedestrian" else self.line.pose(s, d, yaw, z)
        track_id = 1 + (self.number % 258) * _MOST_THINGS + len(self.things)
        thing = thing.owned(self._next(), track_id)
        self.parts.append(_moved(thing, pose))
        self.things.append(Actor(track_id, kind, Placed(Body(thing), pose), moving=False, standing=True))
        return True

    def hang(self, thing: Mesh, s: float, d: float, above_m: float) -> None:
        """Put ``thing`` over the street at (s, d); nothing tall stands under it."""
        self._houses.add(self._footprint(thing.vertices, s, d, 0.0))
        self.parts.append(_moved(thing, self._upright(s, d, 0.0, above_m)).owned(self._next()))

    def reserve(self, s: float, d: float, size: tuple[float, float], yaw: float = 0.0) -> None:
        """Keep a rectangle of ``size`` (along, across) free of everything."""
        half = np.array([(x * size[0] / 2, y * size[1] / 2, 0.0) for x in (-1, 1) for y in (-1, 1)])
        self._solids.add(self._footprint(half, s, d, yaw))

    def _next(self) -> int:
        self._objects += 1
        return ((self.number + (1 << 20)) << 12) + self._objects

    def _upright(self, s: float, d: float, yaw: float, z: float) -> np.ndarray:
        (x, y), pose = self.line.at(s, d), np.eye(4)
        pose[:3, :3] = turn(2, float(self.line.heading(s)) + yaw)
        pose[:3, 3] = x, y, float(self.line.height(s, d, z))
        return pose

    def _footprint(self, vertices: np.ndarray, s: float, d: float, yaw: float) -> Footprint:
        """Of ``vertices`` [V,3] in a thing's own frame: the rectangle around them, parallel to the thing."""
        least, most = vertices[:, :2].min(0), vertices[:, :2].max(0)
        heading = float(self.line.heading(s)) + yaw
        x, y = self.line.at(s, d)
        dx, dy = (least + most) / 2
        c, n = math.cos(heading), math.sin(heading)
        return Footprint(float(x) + c * dx - n * dy, float(y) + n * dx + c * dy, *((most - least) / 2), heading)

    def _off_limits(self, footprint: Footprint, s: float, d: float, inner_m: float) -> bool:
        """Whether a footprint at (s, d) leaves the stretch or its ground, or reaches into a road or a zebra."""
        flank, (x, y) = self.flank(d), self.line.at(s, d)
        heading = float(self.line.heading(s))
        ahead = np.array([math.cos(heading), math.sin(heading)])
        left = np.array([-math.sin(heading), math.cos(heading)])
        offset = footprint.corners() - (float(x), float(y))
        at_s = s + offset @ ahead / self.scale(s, d)
        at_d = flank.sign * (d + offset @ left)
        if at_s.min() < self.begin_s - 0.3 or at_s.max() > self.end_s + 0.3 or at_d.min() < inner_m:
            return True
        if at_d.max() > float(self.reach_m(s, flank)):
            return True
        crossing = self.crossing
        if crossing is None:
            return False
        zebra = crossing.zebra_s
        if zebra is not None and at_d.min() < flank.front and _between(at_s, zebra, ZEBRA_M / 2 + 0.3):
            return True
        if flank.sign not in crossing.arms:
            return False
        kerb = float(crossing.kerb_m(max(float(at_d.min()) - flank.road, 0.0)))
        return _between(at_s, crossing.s, kerb + 0.1)


def _between(at_s: np.ndarray, middle_s: float, half_m: float) -> bool:
    """Whether a thing that covers ``at_s`` reaches into middle ± half."""
    return bool(at_s.min() < middle_s + half_m and at_s.max() > middle_s - half_m)


def _moved(thing: Mesh, pose: np.ndarray, grade: float = 0.0, yaw: float = 0.0) -> Mesh:
    """``thing`` at ``pose`` [4,4]; sheared upwards by ``grade`` per metre along the street, from which it is turned."""
    vertices = thing.vertices @ pose[:3, :3].T + pose[:3, 3]
    if grade:
        vertices[:, 2] += grade * (thing.vertices[:, 0] * math.cos(yaw) - thing.vertices[:, 1] * math.sin(yaw))
    return replace(thing, vertices=vertices)
