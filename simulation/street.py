"""The street: where everything stands, and where everything that moves is at time t.

The street is endless. It is laid out along a curved centre line in coordinates (s, d): s metres along x, d metres to
the left of the line. Each stretch of 30 m is drawn from a random generator of its own, so what a frame shows depends on
the seed and on time alone. Traffic runs on endless belts: slot j of a belt holds the same road user, or nobody, for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from simulation import objects
from simulation.materials import Material
from simulation.mesh import Look, Mesh, box, join, surface

CHUNK_M = 30.0
BEHIND_M, AHEAD_M = 100.0, 160.0  # what is built around the ego vehicle
KERB_M = 0.12
_EDGE_M = 90.0  # the ground ends this far from the centre line

_ROAD = Look(40, Material.ASPHALT, (0.33, 0.33, 0.34))
_MARKING = Look(60, Material.PAINT_MARK, (0.85, 0.85, 0.83))
_PARKING = Look(44, Material.ASPHALT, (0.4, 0.39, 0.38))
_SIDEWALK = Look(48, Material.PAVING, (0.55, 0.53, 0.5))
_GRASS = Look(72, Material.GRASS, (0.34, 0.42, 0.18))
_ISLAND = Look(49, Material.GRAVEL, (0.5, 0.47, 0.42))


@dataclass(frozen=True)
class District:
    """How a stretch of street is built up. Chances are per place where the thing could be; spacings in metres."""

    name: str
    building: float  # chance of a house per plot
    terraced: bool  # houses wall to wall
    storeys: tuple[int, int]
    garden_m: tuple[float, float]
    boundary: float  # chance that a front garden has a fence or hedge
    tree_m: float  # spacing of trees, street and garden
    parked: float  # chance that a parking place is taken
    walkers_m: float  # spacing of pedestrians on each pavement
    lanes: tuple[int, ...]  # choices of lanes per direction


DISTRICTS = (
    District("city", 0.95, True, (3, 6), (0.0, 1.0), 0.1, 28.0, 0.8, 14.0, (1, 1, 2)),
    District("residential", 0.85, False, (1, 3), (3.0, 7.0), 0.85, 11.0, 0.6, 35.0, (1,)),
    District("garden suburb", 0.6, False, (1, 2), (6.0, 12.0), 0.75, 6.0, 0.4, 45.0, (1,)),
    District("avenue", 0.8, True, (2, 5), (2.0, 6.0), 0.4, 8.0, 0.5, 25.0, (2,)),
    District("works", 0.6, False, (2, 3), (5.0, 12.0), 0.7, 20.0, 0.6, 60.0, (1, 2)),
    District("country", 0.12, False, (1, 2), (10.0, 20.0), 0.25, 9.0, 0.08, 150.0, (1,)),
)


@dataclass(frozen=True)
class Side:
    """One side of the street: widths in metres from the carriageway outwards."""

    parking_m: float
    verge_m: float
    sidewalk_m: float
    garden_m: float
    slope: float  # of the land beyond the gardens

    @property
    def building_line_m(self) -> float:
        return self.parking_m + self.verge_m + self.sidewalk_m + self.garden_m


@dataclass(frozen=True)
class Plan:
    """What stays the same along the whole street of one seed."""

    seed: int
    district: str
    lanes: int  # per direction
    lane_m: float
    island_m: float  # width of the central reservation, 0 without one
    left: Side
    right: Side
    bends: tuple[tuple[float, float, float], ...]  # amplitude m, wavelength m, phase
    ego_lane: int
    ego_speed_mps: float
    traffic_m: float  # spacing of road users in a lane
    sun: tuple[float, float, float]
    sky: float  # 0 clear .. 1 overcast
    road_shade: float

    @property
    def half_road_m(self) -> float:
        return self.island_m / 2 + self.lanes * self.lane_m

    def lane_d(self, lane: int) -> float:
        """Distance of a lane's middle from the centre line; lane 0 is the innermost."""
        return self.island_m / 2 + (lane + 0.5) * self.lane_m


@dataclass(frozen=True)
class Belt:
    """An endless belt of road users: slot j is at s = j·pitch + its own jitter + moved(t)."""

    number: int
    d: float
    pitch_m: float
    filled: float
    direction: int  # +1 with the ego vehicle, -1 against it
    moved: Callable[[float], float]
    kinds: tuple[Callable[[np.random.Generator, bool], Mesh], ...]
    chances: tuple[float, ...]
    z: float = 0.0
    ego_slot: bool = False  # slot 0 is the ego vehicle's own place


class Street:
    """The street of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.plan = _draw_plan(seed)
        self.belts = _draw_belts(self.plan)
        self._chunk = lru_cache(maxsize=16)(self._build_chunk)

    def position(self, s: float, d: float = 0.0) -> tuple[float, float, float]:
        """x, y (metres) and heading (radians) of the street point (s, d)."""
        y = sum(a * math.sin(2 * math.pi * s / wave + phase) for a, wave, phase in self.plan.bends)
        slope = sum(
            a * 2 * math.pi / wave * math.cos(2 * math.pi * s / wave + phase) for a, wave, phase in self.plan.bends
        )
        heading = math.atan(slope)
        return s - d * math.sin(heading), y + d * math.cos(heading), heading

    def ego(self, t_s: float) -> np.ndarray:
        """Pose [4,4] of the ego vehicle's ground point, vehicle to street, at time ``t_s``: it pitches a little."""
        sway = 0.12 * math.sin(0.5 * t_s + self.seed % 7)
        x, y, heading = self.position(self.ego_s(t_s), -self.plan.lane_d(self.plan.ego_lane) + sway)
        pitch, roll = 0.004 * math.sin(2.1 * t_s), 0.003 * math.sin(1.3 * t_s + 1.0)
        pose = np.eye(4)
        pose[:3, :3] = _turn_z(heading) @ _turn_y(pitch) @ _turn_x(roll)
        pose[:3, 3] = x, y, 0.015 * math.sin(3.0 * t_s)
        return pose

    def ego_s(self, t_s: float) -> float:
        """How far the ego vehicle has come along the street: it speeds up and slows down gently."""
        return self.plan.ego_speed_mps * t_s + 1.5 * math.sin(0.35 * t_s)

    def around(self, t_s: float) -> Mesh:
        """Everything near the ego vehicle at time ``t_s``, in street coordinates."""
        here = self.ego_s(t_s)
        first, last = math.floor((here - BEHIND_M) / CHUNK_M), math.floor((here + AHEAD_M) / CHUNK_M)
        return join([*(self._chunk(c) for c in range(first, last + 1)), *self._movers(t_s, here)])

    def _movers(self, t_s: float, here: float) -> list[Mesh]:
        found = []
        for belt in self.belts:
            shift = belt.moved(t_s)
            for slot in range(
                math.ceil((here - BEHIND_M - shift) / belt.pitch_m),
                math.floor((here + AHEAD_M - shift) / belt.pitch_m) + 1,
            ):
                rng = _generator(self.seed, 3, belt.number, slot)
                if rng.random() > belt.filled or (belt.ego_slot and slot == 0):
                    continue
                s = slot * belt.pitch_m + shift + rng.uniform(-0.3, 0.3) * belt.pitch_m
                d = belt.d + rng.normal(0.0, 0.12)
                kind = belt.kinds[int(rng.choice(len(belt.kinds), p=belt.chances))]
                x, y, heading = self.position(s, d)
                mover = kind(rng, True).placed(x, y, belt.z, heading + (math.pi if belt.direction < 0 else 0.0))
                found.append(
                    mover.owned(
                        (1 << 40) + belt.number * (1 << 24) + slot % (1 << 24), 32768 + belt.number * 1024 + slot % 1024
                    )
                )
        return found

    def _build_chunk(self, number: int) -> Mesh:
        return _Chunk(self, number).build()


@dataclass
class _Chunk:
    """One stretch of street under construction."""

    street: Street
    number: int
    parts: list[Mesh] = field(default_factory=list)
    count: int = 0

    def build(self) -> Mesh:
        plan = self.street.plan
        self.s0 = self.number * CHUNK_M
        zone = _generator(self.street.seed, 1, self.number // 5)
        home = next(d for d in DISTRICTS if d.name == plan.district)
        self.district = home if zone.random() < 0.7 else DISTRICTS[int(zone.integers(len(DISTRICTS)))]
        self.rng = _generator(self.street.seed, 2, self.number)
        self.crossing = self.number % 4 == 2 and self.rng.random() < 0.5
        middle = self.s0 + CHUNK_M / 2
        self.gap = (middle - 4.0, middle + 4.0) if self.crossing else (middle, middle)
        self._ground()
        for sign, side in ((1, plan.left), (-1, plan.right)):
            self._kerbside(sign, side)
            self._plots(sign, side)
            self._backdrop(sign, side)
        return join(self.parts)

    def put(self, thing: Mesh, s: float, d: float, yaw: float = 0.0, z: float = 0.0, instance: bool = False) -> None:
        """Stand ``thing`` at (s, d), turned by ``yaw`` against the street."""
        x, y, heading = self.street.position(s, d)
        self.count += 1
        identity = ((self.number + (1 << 20)) << 10) + self.count
        number = 1 + ((self.number * 64 + self.count) % 32767) if instance else 0
        self.parts.append(thing.placed(x, y, z, heading + yaw).owned(identity, number))

    def free(self, s: float, margin: float = 1.5) -> bool:
        """Whether ``s`` is clear of a side street."""
        return not self.crossing or abs(s - (self.gap[0] + self.gap[1]) / 2) > 4.0 + margin

    def land_z(self, s: np.ndarray, d: np.ndarray, side: Side) -> np.ndarray:
        """Height of the ground ``d`` metres beyond the carriageway; level as far as the building line and at side streets."""
        out = np.maximum(d - side.building_line_m, 0.0)
        rolling = 0.35 * np.sin(s / 9.0 + 0.3 * d) + 0.25 * np.sin(s / 4.1 - d / 5.0)
        rise = side.slope * out + rolling * np.clip(out / 8.0, 0.0, 1.0)
        if self.crossing:
            away = np.maximum(np.maximum(self.gap[0] - s, s - self.gap[1]) / 8.0, 0.0)
            rise = rise * np.clip(away, 0.0, 1.0)
        return KERB_M + np.maximum(rise, -0.8)

    def _ground(self) -> None:
        plan = self.street.plan
        shade = plan.road_shade
        road = _ROAD._replace(rgb=tuple(shade * c for c in _ROAD.rgb))
        half = plan.half_road_m
        stretches = (
            [(self.s0, self.gap[0]), (self.gap[1], self.s0 + CHUNK_M)]
            if self.crossing
            else [(self.s0, self.s0 + CHUNK_M)]
        )
        for a, b in stretches:
            s = np.linspace(a, b, max(2, int((b - a) / 2.5) + 1))
            self._ribbon(s, [(-half, 0.0), (half, 0.0)], [road])
            if plan.island_m:
                w = plan.island_m / 2
                self._ribbon(s, [(-w, 0.0), (-w, KERB_M), (w, KERB_M), (w, 0.0)], [_ISLAND] * 3)
            for sign, side in ((1, plan.left), (-1, plan.right)):
                self._roadside(s, sign, side)
        if self.crossing:
            s = np.linspace(*self.gap, 5)
            self._ribbon(s, [(-_EDGE_M, 0.0), (_EDGE_M, 0.0)], [road])
        self._markings()

    def _roadside(self, s: np.ndarray, sign: int, side: Side) -> None:
        plan = self.street.plan
        d = plan.half_road_m
        line: list[tuple[float, float]] = [(d, 0.0)]
        looks: list[Look] = []

        def add(width: float, z: float, look: Look) -> None:
            nonlocal d
            d += width
            line.append((d, z))
            looks.append(look)

        if side.parking_m:
            add(side.parking_m, 0.0, _PARKING)
        add(0.0, KERB_M, _SIDEWALK)
        if side.verge_m:
            add(side.verge_m, KERB_M, _GRASS)
        add(side.sidewalk_m, KERB_M, _SIDEWALK)
        if side.garden_m > 0.3:
            yard = _SIDEWALK if self.district.terraced and side.garden_m < 2.0 else _GRASS
            add(side.garden_m, KERB_M, yard)
        beyond = plan.half_road_m + side.building_line_m
        for width in (3.0, 4.0, 5.0, 7.0, 9.0, 12.0):
            add(width, KERB_M, _GRASS)
        add(max(1.0, _EDGE_M - d), KERB_M, _GRASS)
        self._ribbon(s, line, looks, sign, side, beyond)

    def _ribbon(
        self,
        s: np.ndarray,
        line: list[tuple[float, float]],
        looks: list[Look],
        sign: int = 1,
        side: Side | None = None,
        beyond: float = math.inf,
    ) -> None:
        """A cross-section ``line`` of (d, z) drawn along ``s``, with short skirts so that no gap opens at its ends."""
        rows = np.concatenate([s[:1], s, s[-1:]])
        points = np.empty((len(rows), len(line), 3))
        for c, (d, z) in enumerate(line):
            height = np.full(len(rows), z)
            if side is not None and d > beyond:
                height = self.land_z(rows, np.full(len(rows), d - self.street.plan.half_road_m), side)
            height[[0, -1]] -= 0.4
            for r, row in enumerate(rows):
                points[r, c, :2] = self.street.position(float(row), sign * d)[:2]
            points[:, c, 2] = height
        for c, look in enumerate(looks):  # each strip is an object of its own, the same all along the street
            strip = 1 + look.label * 32 + (16 if sign > 0 else 0) + min(c, 15)
            self.parts.append(surface(points[:, c : c + 2], [look]).owned(strip))

    def _markings(self) -> None:
        plan = self.street.plan
        lines = [
            (sign * plan.lane_d(k) + 0.5 * sign * plan.lane_m, True) for k in range(plan.lanes - 1) for sign in (1, -1)
        ]
        if not plan.island_m:
            lines.append((0.0, True))
        for s in np.arange(self.s0, self.s0 + CHUNK_M, 6.0):
            if self.free(s + 1.5, 2.0):
                for d, _ in lines:
                    self._stripe(s, s + 3.0, d - 0.06, d + 0.06)
        if self.crossing:  # a stop line on the ego side and zebra stripes beside the side street
            self._stripe(self.gap[0] - 5.2, self.gap[0] - 4.8, -plan.half_road_m + 0.2, -0.1 - plan.island_m / 2)
            for d in np.arange(-plan.half_road_m + 0.3, plan.half_road_m - 0.5, 1.0):
                if abs(d) > plan.island_m / 2 + 0.3:
                    self._stripe(self.gap[0] - 4.0, self.gap[0] - 1.0, d, d + 0.5)

    def _stripe(self, a: float, b: float, d0: float, d1: float) -> None:
        s = np.linspace(a, b, 3)
        points = np.array([[(*self.street.position(float(r), d)[:2], 0.004) for d in (d0, d1)] for r in s])
        self.parts.append(surface(points, [_MARKING]).owned(1))

    def _kerbside(self, sign: int, side: Side) -> None:
        """What stands between carriageway and front gardens: parked vehicles, trees, lamps, signs, people."""
        plan, rng, district = self.street.plan, self.rng, self.district
        edge, end = plan.half_road_m, self.s0 + CHUNK_M
        facing = math.pi if sign > 0 else 0.0
        if side.parking_m:
            for s in np.arange(self.s0 + 3.0, end - 2.0, 6.0):
                if rng.random() < district.parked and self.free(s, 4.0):
                    self._park(s + rng.uniform(-0.4, 0.4), sign * (edge + side.parking_m / 2), facing)
        kerb = edge + side.parking_m
        planting = sign * (kerb + (side.verge_m / 2 if side.verge_m else 0.6))
        if side.verge_m or district.name in ("avenue", "garden suburb"):
            for s in np.arange(self.s0 + 2.0, end, max(6.0, district.tree_m)):
                if rng.random() < 0.75 and self.free(s):
                    self.put(objects.tree(rng, rng.uniform(5.0, 11.0)), s, planting, z=KERB_M)
        if self.number % 2 == (sign > 0) and self.free(self.s0 + 5.0):
            self.put(objects.lamp(rng), self.s0 + 5.0, sign * (kerb + 0.4), yaw=-sign * math.pi / 2, z=KERB_M)
        for _ in range(int(rng.poisson(0.7))):
            s = self.s0 + rng.uniform(1.0, CHUNK_M - 1.0)
            if self.free(s):
                self.put(objects.sign(rng), s, sign * (kerb + 0.5), yaw=facing + rng.normal(0, 0.1), z=KERB_M)
        if self.crossing and rng.random() < 0.6:
            light = objects.traffic_light(rng)
            self.put(
                light, self.gap[0] - 5.0 if sign < 0 else self.gap[1] + 5.0, sign * (kerb + 0.5), yaw=facing, z=KERB_M
            )
        inner = kerb + side.verge_m + side.sidewalk_m
        for make, rate, instance in (
            (objects.clutter, 0.9, False),
            (objects.bicycle, 0.5 if district.terraced else 0.2, True),
            (lambda r: objects.pedestrian(r, False), 8.0 / district.walkers_m, True),
            (objects.motorcycle, 0.12, True),
        ):
            for _ in range(int(rng.poisson(rate))):
                s = self.s0 + rng.uniform(1.0, CHUNK_M - 1.0)
                if self.free(s):
                    yaw = facing + rng.normal(0, 0.3) + (math.pi / 2 if make is objects.clutter else 0.0)
                    self.put(make(rng), s, sign * (inner - rng.uniform(0.3, 0.6)), yaw, KERB_M, instance)

    def _park(self, s: float, d: float, facing: float) -> None:
        rng = self.rng
        heavy = 0.18 if self.district.name == "works" else 0.03
        roll = rng.random()
        if roll < heavy:
            vehicle = objects.truck(rng, False)
        elif roll < heavy + 0.03:
            vehicle = objects.caravan(rng, False)
        else:
            vehicle = objects.car(rng, False)
        turned = math.pi if rng.random() < 0.15 else 0.0
        self.put(vehicle, s, d, facing + turned + rng.normal(0, 0.02), instance=True)

    def _plots(self, sign: int, side: Side) -> None:
        """Houses, their gardens and the boundaries between them."""
        rng, district, plan = self.rng, self.district, self.street.plan
        front = plan.half_road_m + side.parking_m + side.verge_m + side.sidewalk_m
        line = plan.half_road_m + side.building_line_m
        s = self.s0
        while s < self.s0 + CHUNK_M - 0.1:
            rest = self.s0 + CHUNK_M - s
            wide = rest if rest < 9.0 else min(rest, rng.uniform(8.0, 16.0))
            if rest - wide < 6.0:
                wide = rest
            a, b = s, s + wide
            s = b
            if self.crossing:  # cut the plot back to the nearer side of the side street
                if a < self.gap[0] - 1.0:
                    b = min(b, self.gap[0] - 3.0)
                else:
                    a = max(a, self.gap[1] + 3.0)
                if b - a < 4.0:
                    continue
            self._plot(sign, side, a, b, front, line)

    def _plot(self, sign: int, side: Side, a: float, b: float, front: float, line: float) -> None:
        rng, district = self.rng, self.district
        middle, wide = (a + b) / 2, b - a
        yaw = 0.0 if sign > 0 else math.pi
        storeys = int(rng.integers(district.storeys[0], district.storeys[1] + 1))
        built = rng.random() < district.building
        if built:
            length = wide if district.terraced else rng.uniform(0.6, 0.85) * wide
            back = 0.0 if district.terraced else rng.uniform(0.0, 3.0)
            flat = district.name == "works" or (district.terraced and rng.random() < 0.3)
            home = objects.house(rng, length, rng.uniform(8.0, 13.0), 3.0 * storeys + rng.uniform(0.0, 1.2), flat)
            self.put(home, middle, sign * (line + back), yaw, z=KERB_M)
        garden = side.garden_m
        if garden > 1.5 and rng.random() < district.boundary:
            if rng.random() < 0.5:
                self.put(objects.hedge(rng, wide - 1.2, rng.uniform(0.8, 1.9)), middle, sign * (front + 0.6), z=KERB_M)
            else:
                self.put(objects.fence(rng, wide - 1.0), middle, sign * (front + 0.15), z=KERB_M)
            if rng.random() < 0.6:
                self.put(
                    objects.fence(rng, garden - 0.5), b - 0.2, sign * (front + garden / 2), yaw=math.pi / 2, z=KERB_M
                )
        if garden > 2.5:
            for _ in range(int(rng.poisson(wide * garden / 40.0))):
                self.put(
                    objects.bush(rng, rng.uniform(0.4, 1.1)),
                    rng.uniform(a, b),
                    sign * rng.uniform(front + 1.0, line - 0.5),
                    z=KERB_M,
                )
            for _ in range(int(rng.poisson(0.6 * wide / district.tree_m))):
                tall = rng.uniform(3.5, 9.0)
                self.put(
                    objects.tree(rng, tall),
                    rng.uniform(a, b),
                    sign * rng.uniform(front + 1.0, max(front + 1.1, line - 1.5)),
                    z=KERB_M,
                )
            if built and rng.random() < 0.5:  # a drive with a car on it
                s, d = b - 2.0, front + garden / 2
                self._slab(s, sign, front, line)
                if garden > 5.0 and rng.random() < district.parked:
                    self.put(objects.car(rng, False), s, sign * d, yaw + math.pi / 2, KERB_M + 0.01, instance=True)
        if not built:
            self._wild(sign, side, a, b, line)

    def _slab(self, s: float, sign: int, front: float, line: float) -> None:
        slab = box((2.8, line - front, 0.02), (0.0, 0.0, 0.0), _PARKING)
        self.put(slab, s, sign * (front + line) / 2, z=KERB_M)

    def _wild(self, sign: int, side: Side, a: float, b: float, line: float) -> None:
        """Land without a house: trees and bushes."""
        rng, half = self.rng, self.street.plan.half_road_m
        for make, rate, low, high in ((objects.tree, 0.16, 4.0, 12.0), (objects.bush, 0.25, 0.5, 1.8)):
            for _ in range(int(rng.poisson(rate * (b - a)))):
                s, d = rng.uniform(a, b), line + rng.uniform(0.0, 14.0)
                z = float(self.land_z(np.array(s), np.array(d - half), side))
                self.put(make(rng, rng.uniform(low, high)), s, sign * d, z=z)

    def _backdrop(self, sign: int, side: Side) -> None:
        """What closes the view behind the first row."""
        rng, half = self.rng, self.street.plan.half_road_m
        line = half + side.building_line_m
        for _ in range(int(rng.poisson(2.5))):
            s, d = self.s0 + rng.uniform(0, CHUNK_M), line + rng.uniform(18.0, 45.0)
            if not self.free(s, 3.0):
                continue
            z = float(self.land_z(np.array(s), np.array(d - half), side))
            if rng.random() < 0.35 * self.district.building:
                yaw = 0.0 if sign > 0 else math.pi
                self.put(objects.house(rng, rng.uniform(9, 16), 9.0, rng.uniform(4, 11), False), s, sign * d, yaw, z)
            else:
                self.put(objects.tree(rng, rng.uniform(7.0, 14.0)), s, sign * d, z=z)


def _draw_plan(seed: int) -> Plan:
    rng = _generator(seed, 0, 0)
    district = DISTRICTS[int(rng.choice(len(DISTRICTS), p=(0.2, 0.27, 0.18, 0.12, 0.1, 0.13)))]
    lanes = int(rng.choice(district.lanes))
    country = district.name == "country"

    def side() -> Side:
        parking = 0.0 if country or rng.random() < 0.35 else rng.uniform(2.1, 2.6)
        verge = rng.uniform(1.2, 3.0) if country or rng.random() < 0.35 else 0.0
        sidewalk = rng.uniform(1.2, 2.0) if country else rng.uniform(1.6, 4.0)
        slope = rng.uniform(-0.04, 0.14) if country else rng.uniform(-0.02, 0.06)
        return Side(parking, verge, sidewalk, rng.uniform(*district.garden_m), slope)

    elevation, azimuth = math.radians(rng.uniform(22, 60)), rng.uniform(0, 2 * math.pi)
    sun = (math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation))
    bends = []
    for wave in (rng.uniform(160, 260), rng.uniform(260, 500)):
        radius = rng.uniform(120, 500)  # tightest radius of this bend, m
        bends.append(((wave / (2 * math.pi)) ** 2 / radius, wave, rng.uniform(0, 2 * math.pi)))
    return Plan(
        seed=seed,
        district=district.name,
        lanes=lanes,
        lane_m=rng.uniform(2.9, 3.7),
        island_m=rng.uniform(1.5, 4.0) if lanes > 1 and rng.random() < 0.6 else 0.0,
        left=side(),
        right=side(),
        bends=tuple(bends),
        ego_lane=int(rng.integers(lanes)),
        ego_speed_mps=rng.uniform(8.0, 10.0),
        traffic_m=rng.uniform(25.0, 70.0),
        sun=sun,
        sky=rng.random(),
        road_shade=rng.uniform(0.8, 1.25),
    )


def _draw_belts(plan: Plan) -> tuple[Belt, ...]:
    vehicles = (objects.car, objects.truck, objects.bus, objects.motorcyclist)
    mix = (0.84, 0.09, 0.03, 0.04)
    walkers = (objects.pedestrian, objects.cyclist)
    home = next(d for d in DISTRICTS if d.name == plan.district)

    def with_ego(t_s: float) -> float:
        return plan.ego_speed_mps * t_s + 1.5 * math.sin(0.35 * t_s)

    def steady(speed: float) -> Callable[[float], float]:
        return lambda t_s: speed * t_s

    belts = []
    for lane in range(plan.lanes):
        d = plan.lane_d(lane)
        own = lane == plan.ego_lane
        ahead = with_ego if own else steady(plan.ego_speed_mps + (2.5 if lane < plan.ego_lane else -2.5))
        belts.append(Belt(len(belts), -d, plan.traffic_m + 12.0, 0.6, 1, ahead, vehicles, mix, ego_slot=own))
        belts.append(Belt(len(belts), d, plan.traffic_m, 0.65, -1, steady(-9.0 - 1.5 * lane), vehicles, mix))
    for sign, side in ((1, plan.left), (-1, plan.right)):
        for direction, place in ((1, 0.35), (-1, 0.65)):
            d = plan.half_road_m + side.parking_m + side.verge_m + place * side.sidewalk_m
            belts.append(
                Belt(
                    len(belts),
                    sign * d,
                    home.walkers_m,
                    0.6,
                    direction,
                    steady(1.3 * direction),
                    walkers[:1],
                    (1.0,),
                    KERB_M,
                )
            )
        ride = plan.half_road_m + side.parking_m + side.verge_m + 0.5 * side.sidewalk_m
        belts.append(Belt(len(belts), sign * ride, 45.0, 0.4, -sign, steady(-sign * 4.5), walkers[1:], (1.0,), KERB_M))
    return tuple(belts)


def _generator(seed: int, *place: int) -> np.random.Generator:
    """A random generator that belongs to one place of the street; ``place`` may be negative."""
    return np.random.default_rng([seed, *(p + (1 << 30) for p in place)])


def _turn_x(a: float) -> np.ndarray:
    return np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])


def _turn_y(a: float) -> np.ndarray:
    return np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])


def _turn_z(a: float) -> np.ndarray:
    return np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
