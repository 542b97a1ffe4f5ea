"""Thirty metres of street: ground, kerbside, plots and what lies behind them. Nothing here moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulation.actors import LABELS, Actor
from simulation.scene import Body, Placed
from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, surface
from simulation.world.centreline import Centreline
from simulation.world.layout import KERB_M, STRETCH_M, draw_layout
from simulation.world.plan import DISTRICTS, Plan, Side, generator

_EDGE_M = 90.0  # the ground ends this far from the centre line
_CROSSING_M = 4.0  # half width of a side street

_ROAD = Look(40, Material.ASPHALT, (0.33, 0.33, 0.34))
_MARKING = Look(60, Material.PAINT_MARK, (0.85, 0.85, 0.83))
_PARKING = Look(44, Material.PARKING, (0.4, 0.39, 0.38))
_SIDEWALK = Look(48, Material.PAVING, (0.55, 0.53, 0.5))
_GRASS = Look(72, Material.GRASS, (0.34, 0.42, 0.18))
_GRAVEL = Look(49, Material.GRAVEL, (0.5, 0.47, 0.42))


@dataclass(frozen=True)
class Flank:
    """One side of the street as distances from the centre line (metres). ``sign``: +1 left, -1 right."""

    sign: int
    side: Side
    road: float  # edge of the carriageway

    @property
    def kerb(self) -> float:
        return self.road + self.side.parking_m

    @property
    def front(self) -> float:
        """Where the pavement ends and gardens begin."""
        return self.kerb + self.side.verge_m + self.side.sidewalk_m

    @property
    def line(self) -> float:
        """Where houses begin."""
        return self.front + self.side.garden_m

    @property
    def yaw(self) -> float:
        """Turns a house's front, or a vehicle's nose, the right way for this side."""
        return math.pi if self.sign < 0 else 0.0


@dataclass(frozen=True, eq=False)
class Built:
    """What stands on a stretch, in street coordinates: one mesh, and those of its things that count."""

    mesh: Mesh
    things: tuple[Actor, ...]


class Stretch:
    """Stretch ``number`` of a street under construction: from ``number``·30 m on."""

    def __init__(self, seed: int, plan: Plan, line: Centreline, number: int) -> None:
        self._plan, self._line, self._number = plan, line, number
        self._begin, self._end = number * STRETCH_M, (number + 1) * STRETCH_M
        zone = generator(seed, 1, number // 5)
        self._district = plan.home() if zone.random() < 0.7 else DISTRICTS[int(zone.integers(len(DISTRICTS)))]
        self._rng = generator(seed, 2, number)
        layout = draw_layout(seed, plan, number)
        self._crossing = layout.crossing.s if layout.crossing else None
        self._free_bays = [(bay.s, bay.d) for bay in layout.free_bays]
        self._parts: list[Mesh] = []
        self._things: list[Actor] = []
        self._count = 0

    def build(self) -> Built:
        """Everything that stands here."""
        flanks = (
            Flank(1, self._plan.left, self._plan.half_road_m),
            Flank(-1, self._plan.right, self._plan.half_road_m),
        )
        self._carriageway(flanks)
        for flank in flanks:
            self._kerbside(flank)
            self._pavement(flank)
            self._plots(flank)
            self._backdrop(flank)
        return Built(join(self._parts), tuple(self._things))

    def _put(
        self, thing: Mesh, s: float, d: float, *, yaw: float = 0.0, z: float = KERB_M, instance: bool = False
    ) -> None:
        """Stand ``thing`` at (s, d), turned by ``yaw`` against the street."""
        self._count += 1
        x, y = self._line.at(s, d)
        identity = ((self._number + (1 << 20)) << 10) + self._count
        number = 1 + (self._number * 128 + self._count) % 32767 if instance else 0
        heading = float(self._line.heading(s)) + yaw
        base = float(self._line.height(s)) + z
        self._parts.append(thing.placed(float(x), float(y), base, heading).owned(identity, number))
        if instance:
            kind = next(k for k, (label, _) in LABELS.items() if label == thing.label[0])
            placed = Placed(Body(thing.owned(identity, number)), self._line.pose(s, d, yaw, z))
            self._things.append(Actor(number, kind, placed, moving=False, standing=True))

    def _free(self, s: float, margin_m: float = 1.5) -> bool:
        """Whether ``s`` is clear of a side street."""
        return self._crossing is None or abs(s - self._crossing) > _CROSSING_M + margin_m

    def _along(self, margin_m: float = 1.0) -> float:
        return self._rng.uniform(self._begin + margin_m, self._end - margin_m)

    # Ground

    def _land_z(self, s: np.ndarray | float, d: np.ndarray | float, flank: Flank) -> np.ndarray:
        """Height of the ground: level as far as the building line and at side streets, rolling beyond."""
        out = np.maximum(np.asarray(d) - flank.line, 0.0)
        rolling = 0.35 * np.sin(np.asarray(s) / 9.0 + 0.3 * out) + 0.25 * np.sin(np.asarray(s) / 4.1 - out / 5.0)
        rise = flank.side.slope * np.minimum(out, 30.0) + rolling * np.clip(out / 8.0, 0.0, 1.0)
        if self._crossing is not None:
            rise = rise * np.clip((np.abs(np.asarray(s) - self._crossing) - _CROSSING_M) / 8.0, 0.0, 1.0)
        return KERB_M + np.maximum(rise, -0.8)

    def _carriageway(self, flanks: tuple[Flank, Flank]) -> None:
        half, island = self._plan.half_road_m, self._plan.island_m / 2
        road = _ROAD._replace(rgb=tuple(self._plan.road_shade * c for c in _ROAD.rgb))
        pieces = [(self._begin, self._end)]
        if self._crossing is not None:
            a, b = self._crossing - _CROSSING_M, self._crossing + _CROSSING_M
            pieces = [(self._begin, a), (b, self._end)]
            self._ribbon(np.linspace(a, b, 5), [(-_EDGE_M, 0.0), (_EDGE_M, 0.0)], [road])
        for a, b in pieces:
            s = np.linspace(a, b, int((b - a) / 2.5) + 2)
            self._ribbon(s, [(-half, 0.0), (half, 0.0)], [road])
            if island:
                edge = [(-island, 0.0), (-island, KERB_M), (island, KERB_M), (island, 0.0)]
                self._ribbon(s, edge, [_GRAVEL if flanks[0].side.gravel else _GRASS] * 3)
            for flank in flanks:
                self._roadside(s, flank)
        self._markings()

    def _roadside(self, s: np.ndarray, flank: Flank) -> None:
        side = flank.side
        soft = _GRAVEL if side.gravel else _GRASS
        yard = _SIDEWALK if self._district.terraced and side.garden_m < 2.0 else soft
        strips = [(side.parking_m, 0.0, _PARKING), (0.0, KERB_M, _SIDEWALK)]
        strips += [(side.verge_m, KERB_M, soft), (side.sidewalk_m, KERB_M, _SIDEWALK), (side.garden_m, KERB_M, yard)]
        strips += [(width, KERB_M, _GRASS) for width in (3.0, 4.0, 5.0, 7.0, 9.0, 12.0, 25.0)]
        edges, looks = [(flank.road, 0.0)], []
        for width, z, look in strips:
            if width > 0.0 or z != edges[-1][1]:
                edges.append((edges[-1][0] + width, z))
                looks.append(look)
        self._ribbon(s, edges, looks, flank)

    def _ribbon(
        self, s: np.ndarray, edges: list[tuple[float, float]], looks: list[Look], flank: Flank | None = None
    ) -> None:
        """A cross-section ``edges`` of (d, z) drawn along ``s``; short skirts close the gaps at its ends."""
        s = np.concatenate([s[:1], s, s[-1:]])[:, None]
        d, z = np.array(edges).T
        height = np.broadcast_to(z, (len(s), len(d))).copy()
        if flank is not None:
            height = np.where(d > flank.line + 0.1, self._land_z(s, d, flank), height)
        height[[0, -1]] -= 0.4
        sign = 1 if flank is None else flank.sign
        points = np.stack([*self._line.at(s, sign * d), height + self._line.height(s)], 2)
        for c, look in enumerate(looks):  # each strip is one object all along the street
            strip = 1 + look.label * 32 + (16 if sign > 0 else 0) + c
            self._parts.append(surface(points[:, c : c + 2], [look]).owned(strip))

    def _markings(self) -> None:
        plan = self._plan
        lines = [sign * (plan.lane_d(k) + plan.lane_m / 2) for k in range(plan.lanes - 1) for sign in (1, -1)]
        lines += [] if plan.island_m else [0.0]
        for s in np.arange(self._begin, self._end, 6.0):
            if self._free(s + 1.5, 2.0):
                for d in lines:
                    self._stripe(s, s + 3.0, d - 0.06, d + 0.06)
        if self._crossing is not None:  # the ego side's stop line, and a zebra crossing before the side street
            gap, inner = self._crossing - _CROSSING_M, plan.island_m / 2
            self._stripe(gap - 5.2, gap - 4.8, 0.2 - plan.half_road_m, -0.1 - inner)
            for d in np.arange(0.3 - plan.half_road_m, plan.half_road_m - 0.5, 1.0):
                if abs(d) > inner + 0.3:
                    self._stripe(gap - 4.0, gap - 1.0, d, d + 0.5)

    def _stripe(self, from_s: float, to_s: float, from_d: float, to_d: float) -> None:
        s = np.linspace(from_s, to_s, 3)[:, None]
        x, y = self._line.at(s, np.array([from_d, to_d]))
        z = np.broadcast_to(self._line.height(s) + 0.004, x.shape)
        self._parts.append(surface(np.stack([x, y, z], 2), [_MARKING]).owned(1))

    # What stands on it

    def _kerbside(self, flank: Flank) -> None:
        """Parked vehicles, street trees, lamps and signs."""
        rng, sign, district = self._rng, flank.sign, self._district
        if flank.side.parking_m:
            for s in np.arange(self._begin + 3.0, self._end - 2.0, 6.0):
                taken = rng.random() < district.parked and self._free(s, 4.0)
                if taken and not any(abs(s - bay) < 3.0 and flank.sign * d > 0 for bay, d in self._free_bays):
                    self._park(s + rng.uniform(-0.4, 0.4), flank)
        if flank.side.verge_m or district.name in ("avenue", "garden suburb", "city"):
            planting = sign * (flank.kerb + max(flank.side.verge_m / 2, 0.6))
            for s in np.arange(self._begin + 2.0, self._end, max(6.0, district.tree_m)):
                if rng.random() < 0.75 and self._free(s):
                    self._put(objects.tree(rng, rng.uniform(6.0, 12.0), pruned=True), s, planting)
        if self._number % 2 == (sign > 0):
            self._put(objects.lamp(rng), self._begin + 5.0, sign * (flank.kerb + 0.4), yaw=-sign * math.pi / 2)
        ahead = math.pi - flank.yaw  # the direction of travel on this side: vehicles keep right
        for _ in range(int(rng.poisson(0.7))):
            s = self._along()
            if self._free(s):
                self._put(objects.sign(rng), s, sign * (flank.kerb + 0.5), yaw=ahead + rng.normal(0, 0.1))
        if self._crossing is not None and rng.random() < 0.6:
            s = self._crossing + sign * (_CROSSING_M + 5.0)
            self._put(objects.traffic_light(rng), s, sign * (flank.kerb + 0.5), yaw=ahead)

    def _park(self, s: float, flank: Flank) -> None:
        rng = self._rng
        truck, trailer = (0.15 if self._district.name == "works" else 0.03), 0.03
        roll = rng.random()
        make = objects.truck if roll < truck else objects.caravan if roll < truck + trailer else objects.car
        yaw = math.pi - flank.yaw + (math.pi if rng.random() < 0.15 else 0.0) + rng.normal(0, 0.02)
        self._put(
            make(rng, False), s, flank.sign * (flank.road + flank.side.parking_m / 2), yaw=yaw, z=0.0, instance=True
        )

    def _pavement(self, flank: Flank) -> None:
        """Along the pavement's far edge: people who stand about, bicycles and motorcycles, street furniture."""
        rng, district = self._rng, self._district
        kinds = (
            (lambda: objects.clutter(rng), 0.9, False),
            (lambda: objects.bicycle(rng), 0.8 if district.terraced else 0.3, True),
            (lambda: objects.pedestrian(rng, False), 6.0 / district.walkers_m, True),
            (lambda: objects.motorcycle(rng), 0.25, True),
        )
        spots = iter(rng.permutation(np.arange(self._begin + 1.0, self._end - 1.0, 2.0)))  # one thing in each
        for make, rate, instance in kinds:
            for _ in range(min(int(rng.poisson(rate)), 3)):
                s, thing = next(spots) + rng.uniform(-0.2, 0.2), make()
                if self._free(s):
                    d = flank.sign * (flank.front - rng.uniform(0.3, 0.6))
                    self._put(thing, s, d, yaw=flank.yaw + rng.normal(0, 0.3), instance=instance)

    def _plots(self, flank: Flank) -> None:
        """Cut the roadside into plots, clear of a side street, and build on them."""
        s = self._begin
        while s < self._end:
            rest = self._end - s
            wide = self._rng.uniform(8.0, 16.0)
            wide = rest if rest - wide < 7.0 else wide
            a, b = s, s + wide
            s = b
            if self._crossing is not None:
                if a < self._crossing:
                    b = min(b, self._crossing - _CROSSING_M - 2.5)
                else:
                    a = max(a, self._crossing + _CROSSING_M + 2.5)
            if b - a > 4.0:
                self._plot(flank, a, b)

    def _plot(self, flank: Flank, a: float, b: float) -> None:
        rng, district, wide = self._rng, self._district, b - a
        built = rng.random() < district.building
        if built:
            length = wide if district.terraced else rng.uniform(0.6, 0.85) * wide
            back = 0.0 if district.terraced else rng.uniform(0.0, 3.0)
            flat = district.name == "works" or (district.terraced and rng.random() < 0.3)
            height = 3.0 * rng.integers(district.storeys[0], district.storeys[1] + 1) + rng.uniform(0.0, 1.2)
            house = objects.house(rng, (length, rng.uniform(8.0, 13.0), height), flat)
            self._put(house, (a + b) / 2, flank.sign * (flank.line + back), yaw=flank.yaw)
        else:
            self._wild(flank, a, b)
        drive_m = 3.2 if built and flank.side.garden_m > 2.5 and rng.random() < 0.5 else 0.0
        if drive_m:
            self._drive(flank, b - drive_m / 2)
        if flank.side.garden_m > 1.5:
            self._garden(flank, a, b - drive_m)

    def _drive(self, flank: Flank, s: float) -> None:
        """A paved drive across the garden, perhaps with a car on it."""
        rng, garden = self._rng, flank.side.garden_m
        self._put(box((2.8, garden, 0.02), (0.0, 0.0, 0.0), _PARKING), s, flank.sign * (flank.front + garden / 2))
        if garden > 5.0 and rng.random() < 0.5:
            yaw = flank.yaw + math.pi / 2
            self._put(objects.car(rng, False), s, flank.sign * (flank.front + garden / 2), yaw=yaw, instance=True)

    def _garden(self, flank: Flank, a: float, b: float) -> None:
        """Fence or hedge along the pavement and towards the neighbour; bushes and trees between."""
        rng, sign, garden = self._rng, flank.sign, flank.side.garden_m
        if rng.random() < self._district.boundary:
            middle, wide = (a + b) / 2, b - a
            roll = rng.random()
            if roll < 0.7:
                self._put(objects.hedge(rng, wide - 0.8, rng.uniform(0.8, 2.4)), middle, sign * (flank.front + 0.8))
            if roll > 0.35:
                self._put(objects.fence(rng, wide - 0.2), middle, sign * (flank.front + 0.15))
            across, d = garden - 0.5, sign * (flank.front + garden / 2)
            if rng.random() < 0.4:
                self._put(objects.hedge(rng, across, rng.uniform(0.8, 1.8)), b - 0.5, d, yaw=math.pi / 2)
            elif rng.random() < 0.6:
                self._put(objects.fence(rng, across), b - 0.2, d, yaw=math.pi / 2)
        near, far = flank.front + 1.0, max(flank.front + 1.1, flank.line - 0.8)
        for _ in range(int(rng.poisson((b - a) * garden / 22.0))):
            self._put(objects.bush(rng, rng.uniform(0.4, 1.3)), rng.uniform(a, b), sign * rng.uniform(near, far))
        for _ in range(int(rng.poisson(0.7 * (b - a) / self._district.tree_m))):
            self._put(objects.tree(rng, rng.uniform(3.5, 9.0)), rng.uniform(a, b), sign * rng.uniform(near, far))

    def _wild(self, flank: Flank, a: float, b: float) -> None:
        """Land without a house: trees and bushes, often a thicket."""
        rng = self._rng
        for make, rate, low, high in ((objects.tree, 0.25, 3.0, 12.0), (objects.bush, 0.7, 0.7, 2.4)):
            for _ in range(int(rng.poisson(rate * (b - a)))):
                s, d = rng.uniform(a, b), flank.line + rng.uniform(0.0, 12.0)
                self._put(make(rng, rng.uniform(low, high)), s, flank.sign * d, z=float(self._land_z(s, d, flank)))
        if rng.random() < 0.6:
            d = flank.line + rng.uniform(0.5, 6.0)
            thicket = objects.hedge(rng, b - a, rng.uniform(1.8, 4.0))
            self._put(thicket, (a + b) / 2, flank.sign * d, z=float(self._land_z((a + b) / 2, d, flank)))

    def _backdrop(self, flank: Flank) -> None:
        """What closes the view behind the first row."""
        rng = self._rng
        for _ in range(int(rng.poisson(3.0))):
            s, d = self._along(0.0), flank.line + rng.uniform(18.0, 45.0)
            if not self._free(s, 3.0):
                continue
            z = float(self._land_z(s, d, flank))
            if rng.random() < 0.35 * self._district.building:
                house = objects.house(rng, (rng.uniform(9, 16), 9.0, rng.uniform(4, 11)), False)
                self._put(house, s, flank.sign * d, yaw=flank.yaw, z=z)
            else:
                self._put(objects.tree(rng, rng.uniform(7.0, 14.0)), s, flank.sign * d, z=z)
