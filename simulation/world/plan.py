"""What one street is like: drawn once from its seed, the same along its whole length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from errors import UserError
from simulation.settings import StreetSettings
from simulation.world.centreline import Wave
from simulation.world.relief import Relief, draw_relief


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
    District("city", 0.94, True, (3, 6), (0.0, 1.5), 0.6, 9.0, 0.7, 16.0, (1, 1, 2)),
    District("residential", 0.88, False, (1, 3), (2.5, 6.0), 0.95, 6.0, 0.55, 40.0, (1,)),
    District("garden suburb", 0.75, False, (1, 2), (3.5, 7.5), 0.95, 4.0, 0.38, 45.0, (1,)),
    District("avenue", 0.9, True, (2, 5), (1.0, 4.5), 0.85, 7.0, 0.6, 28.0, (2,)),
    District("works", 0.55, False, (2, 3), (4.0, 9.0), 0.9, 9.0, 0.4, 60.0, (1, 2)),
    District("country", 0.2, False, (1, 2), (1.0, 4.0), 0.5, 5.0, 0.05, 150.0, (1,)),
)
_DISTRICT_SHARES = (0.14, 0.29, 0.2, 0.11, 0.1, 0.16)


@dataclass(frozen=True)
class Side:
    """One side of the street: widths in metres from the carriageway outwards; 0 where there is none."""

    parking_m: float
    bays_marked: bool  # the parking strip is paved as such; otherwise it is asphalt like the road's
    verge_m: float
    sidewalk_m: float
    garden_m: float
    slope: float  # of the land beyond the gardens
    gravel: bool  # verge and yards are gravel instead of grass

    @property
    def pavement_m(self) -> float:
        """From the edge of the carriageway to where gardens begin."""
        return self.parking_m + self.verge_m + self.sidewalk_m


@dataclass(frozen=True)
class Plan:
    """What stays the same along the whole street of one seed."""

    district: str
    lanes: int  # per direction
    lane_m: float
    cycle_m: float  # width of the painted cycle lane at each edge of the carriageway, 0 without one
    cycle_red: bool  # and whether that is coloured
    centre_marked: bool  # whether a line divides the two directions
    island_m: float  # width of the central reservation, 0 without one
    left: Side
    right: Side
    bends: tuple[Wave, ...]  # of the centre line's heading: swing rad, wavelength m, phase
    hills: tuple[Wave, ...]  # of its height: swing m, wavelength m, phase
    relief: Relief  # crown, gutters, kerbs and waves of the road
    ego_lane: int
    parked: float  # how many parking places are taken, times what the district says
    traffic_m: float  # spacing of road users in a lane
    road_shade: float

    @property
    def half_road_m(self) -> float:
        """From the centre line to the edge of the carriageway."""
        return self.island_m / 2 + self.lanes * self.lane_m + self.cycle_m

    def side(self, sign: int) -> Side:
        """The left (+1) or right (-1) side of the street."""
        return self.left if sign > 0 else self.right

    def kerb_m(self, sign: int) -> float:
        """From the centre line to the kerb of one side."""
        return self.half_road_m + self.side(sign).parking_m

    def lane_d(self, lane: int) -> float:
        """Distance of a lane's middle from the centre line; lane 0 is the innermost."""
        return self.island_m / 2 + (lane + 0.5) * self.lane_m

    def home(self) -> District:
        """The district that most of the street belongs to."""
        return next(d for d in DISTRICTS if d.name == self.district)


def generator(seed: int, *place: int) -> np.random.Generator:
    """A random generator that belongs to one place of a street; the numbers of ``place`` may be negative."""
    return np.random.default_rng([seed, *(p + (1 << 30) for p in place)])


def draw_plan(seed: int, settings: StreetSettings | None = None) -> Plan:
    """The street of ``seed``. :class:`UserError` where ``settings`` names a district that there is not."""
    settings = settings or StreetSettings()
    rng = generator(seed, 0, 0)
    district = _fall_on(seed) if settings.district is None else _district(settings.district)
    lanes = int(rng.choice(district.lanes))
    left, right = _draw_side(rng, district), _draw_side(rng, district)
    lane_m = rng.uniform(2.8, 3.4)
    cycle_m = 1.5 if district.name in ("city", "avenue", "residential") and rng.random() < 0.25 else 0.0
    island_m = rng.uniform(1.5, 4.0) if lanes > 1 and rng.random() < 0.6 else 0.0
    road = island_m / 2 + lanes * lane_m + cycle_m
    return Plan(
        district=district.name,
        lanes=lanes,
        lane_m=lane_m,
        cycle_m=cycle_m,
        cycle_red=bool(rng.random() < 0.4),
        centre_marked=bool(lanes > 1 or rng.random() < 0.6),
        island_m=island_m,
        left=left,
        right=right,
        bends=_draw_bends(rng, settings.bends),
        hills=_draw_hills(rng, settings.slopes),
        relief=draw_relief(
            generator(seed, 0, 1),
            (road + left.parking_m, road + right.parking_m),
            (road + left.pavement_m, road + right.pavement_m),
            divided=island_m > 0.0,
        ),
        ego_lane=int(rng.integers(lanes)),
        parked=settings.parked,
        traffic_m=rng.uniform(30.0, 80.0),
        road_shade=rng.uniform(0.8, 1.25),
    )


def _fall_on(seed: int) -> District:
    """The district of a seed. Seeds that follow each other are spread evenly over all of them: by the fractional parts
    of seed times the golden ratio (Fibonacci hashing, Knuth, *The Art of Computer Programming* 3, 6.4)."""
    spread = ((seed * 11400714819323198485 + 0x5000000000000000) % 2**64) / 2**64
    return DISTRICTS[min(int(np.searchsorted(np.cumsum(_DISTRICT_SHARES), spread)), len(DISTRICTS) - 1)]


def _district(name: str) -> District:
    for district in DISTRICTS:
        if district.name == name:
            return district
    names = ", ".join(d.name for d in DISTRICTS)
    raise UserError(f"street.district={name}: there is no such district; choose one of {names}")


def _draw_side(rng: np.random.Generator, district: District) -> Side:
    country, town = district.name == "country", district.terraced
    return Side(
        parking_m=0.0 if country or rng.random() < 0.5 else rng.uniform(2.1, 2.6),
        bays_marked=bool(rng.random() < 0.18),
        verge_m=rng.uniform(1.2, 2.4) if country or rng.random() < 0.3 else 0.0,
        sidewalk_m=(0.0 if rng.random() < 0.5 else rng.uniform(1.4, 2.4))
        if country
        else rng.uniform(1.8, 4.0 if town else 2.6),
        garden_m=rng.uniform(*district.garden_m),
        slope=rng.uniform(-0.03, 0.18) if country else rng.uniform(-0.01, 0.08),
        gravel=bool(rng.random() < (0.1 if district.name in ("works", "avenue", "country") else 0.02)),
    )


def _draw_bends(rng: np.random.Generator, factor: float) -> tuple[Wave, ...]:
    """Two sines of the heading. Together they bend to a radius of 80 m / ``factor`` at the tightest."""
    bends = []
    for low, high, tightest_m in ((150, 260, 120.0), (260, 600, 240.0)):
        wave, radius = rng.uniform(low, high), tightest_m * rng.uniform(1.0, 5.0)
        bends.append((factor * wave / (2 * math.pi * radius), wave, rng.uniform(0, 2 * math.pi)))
    return tuple(bends)


def _draw_hills(rng: np.random.Generator, factor: float) -> tuple[Wave, ...]:
    """Two sines of the height. Most streets rise by up to 3 % at the steepest, a hilly one in four by up to 6 %."""
    steepest = rng.uniform(0.03, 0.06) if rng.random() < 0.25 else rng.uniform(0.0, 0.03)
    hills = []
    for low, high, share in ((180, 350, 0.4), (350, 800, 0.6)):
        wave = rng.uniform(low, high)
        hills.append((factor * share * steepest * wave / (2 * math.pi), wave, rng.uniform(0, 2 * math.pi)))
    return tuple(hills)
