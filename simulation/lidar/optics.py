"""What comes back of a pulse: whether it is noticed, at what range, how bright.

A calibrated HDL-64E reads nearly the same remission from a surface at 5 and at 20 m and from any side; fitted to
KITTI's scans, what it reads is

    c(albedo) - fade · range² · (1 + gloss / cos(incidence)) + noise,     cut to 0 .. 0.99

with a line c of each laser's own, and 0 below a floor of its own; so weak echoes still give a point, of remission 0.
Smooth skins mirror pulses away, in whole patches as they bend. Whether there is an echo at all follows the LiDAR
equation: power goes as albedo · cos(incidence) / range², in fog also as exp(-2 · extinction · range).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from simulation.shapes.materials import Material


class Surface(NamedTuple):
    """How one material answers a pulse.

    ``albedo``: remission of the average surface near by; ``spread``: standard deviation between surfaces, ``patches``
    between parts of one, and ``grain`` between neighbouring points; ``gloss``: how much a shallow incidence weakens it;
    ``mirror``: share of a smooth skin that reflects pulses away where they do not meet it squarely; ``clear``: share
    of it that they pass through; ``rough_m``: standard deviation of its depth.
    """

    albedo: float
    spread: float
    grain: float
    gloss: float = 0.0
    mirror: float = 0.0
    clear: float = 0.0
    rough_m: float = 0.005
    patches: float = 0.0


SURFACES: dict[Material, Surface] = {
    Material.ASPHALT: Surface(0.245, 0.020, 0.042, gloss=0.005, patches=0.055),
    Material.PAINT_MARK: Surface(0.40, 0.080, 0.090, gloss=0.03, patches=0.050),
    Material.PAVING: Surface(0.318, 0.025, 0.040, gloss=0.005, patches=0.020),
    Material.GRASS: Surface(0.375, 0.020, 0.052, rough_m=0.030, patches=0.020),
    Material.PLASTER: Surface(0.49, 0.120, 0.055, gloss=0.02, rough_m=0.008, patches=0.030),
    Material.BRICK: Surface(0.42, 0.080, 0.060, gloss=0.02, rough_m=0.010, patches=0.030),
    Material.ROOF: Surface(0.33, 0.060, 0.070, gloss=0.05, rough_m=0.015),
    Material.WOOD: Surface(0.345, 0.080, 0.090, gloss=0.03, rough_m=0.010),
    Material.FOLIAGE: Surface(0.375, 0.035, 0.092, rough_m=0.020),
    Material.BARK: Surface(0.365, 0.060, 0.120, rough_m=0.012),
    Material.METAL: Surface(0.31, 0.180, 0.110, gloss=0.10, mirror=0.10),
    Material.RETRO: Surface(0.50, 0.220, 0.150),
    Material.CAR_PAINT: Surface(0.15, 0.260, 0.070, gloss=0.10, mirror=0.17),
    Material.GLASS: Surface(0.03, 0.020, 0.050, gloss=0.10, mirror=0.90, clear=0.45),
    Material.RUBBER: Surface(0.06, 0.030, 0.040, mirror=0.05),
    Material.CLOTH: Surface(0.36, 0.150, 0.100, rough_m=0.010),
    Material.SKIN: Surface(0.40, 0.040, 0.060),
    Material.GRAVEL: Surface(0.285, 0.030, 0.060, gloss=0.02, rough_m=0.015, patches=0.040),
    Material.PARKING: Surface(0.310, 0.030, 0.042, gloss=0.01, patches=0.030),
    Material.LAMP: Surface(0.55, 0.300, 0.200, gloss=0.05, mirror=0.20, clear=0.05),
}
_TABLE = np.array([SURFACES[m] for m in Material])
_RETRO = int(Material.RETRO)
GLOSS, MIRROR, CLEAR, PATCHES = (_TABLE[:, k].copy() for k in (3, 4, 5, 7))

PIVOT = 0.36  # remission at which the lasers' curves are compared
_STRAY_SHARE = 0.2  # pulses differ by so much in what part of a skin they take to mirror them away
_LOST = 2e-4  # share of pulses lost anywhere, for no reason
_PANE = 0.8  # share of the light that one way through a pane leaves
_NEAR_M = 30.0  # nearer than this the receiver is made less sensitive, or it would see every mote
_LIDAR_RATIO_SR = 20.0  # extinction to backscatter in fog (O'Connor et al. 2004)
_PULSE_M = 0.75  # half the length of a 5 ns pulse: the depth of air that answers at once
_OVERLAP_M = 3.0  # within about this range the receiver does not see where the beam is
_DROPS_PER_MMPH = 6e-4  # share of pulses that a rain drop sends back, per mm/h of rain


class Conditions(NamedTuple):
    """What is the same for all pulses of a turn."""

    min_m: float
    max_m: float
    resolution_m: float
    noise_m: float
    fade_per_m2: float
    gain: float
    weakest: float
    remission_step: float
    remission_max: float
    grain: float  # times the surfaces' own, and their roughness
    dropout: float
    extinction_per_m: float
    rain_mmph: float
    wetness: float


@dataclass(frozen=True)
class Targets:
    """What N pulses meet.

    ``range_m`` float64 [N], inf where nothing; ``material`` int64 [N]; ``panes`` int64 [N]: how many panes lie before
    it; all others float64 [N]: ``cosine`` of incidence, ``up`` (the normal's z), ``tone`` of the surface among its like
    and ``uneven``, that of the part of it (mean 0, deviation 1), ``part`` of a skin, 0..1, the lowest the first to
    mirror; ``offset``, ``slope`` and ``floor`` of the laser's curve.
    """

    range_m: np.ndarray
    material: np.ndarray
    cosine: np.ndarray
    up: np.ndarray
    tone: np.ndarray
    uneven: np.ndarray
    part: np.ndarray
    panes: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    floor: np.ndarray


NOTHING, SURFACE, AIR = 0, 1, 2


def echoes(
    targets: Targets, conditions: Conditions, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is measured of each pulse: from where (NOTHING, SURFACE, AIR) uint8 [N], range float64 [N] (m) and
    remission float64 [N]."""
    n = len(targets.range_m)
    luck, noise = rng.random((n, 6), np.float32), rng.standard_normal((n, 3), np.float32)
    t = targets
    met = np.stack([t.cosine, t.up, t.tone, t.uneven, t.part, t.panes, t.offset, t.slope, t.floor], 1)
    return _echoes(t.range_m, t.material, met, _TABLE, conditions, luck, noise)


@numba.njit(cache=True)
def _echoes(ranges, materials, met, table, c, luck, noise):  # pragma: no cover - compiled
    n = len(ranges)
    source, measured, remission = np.zeros(n, np.uint8), np.zeros(n), np.zeros(n)
    for i in range(n):
        range_m, reading, power = ranges[i], 0.0, 0.0
        if c.min_m <= range_m < c.max_m:
            reading, power = _surface(table, materials[i], met, i, c, range_m, luck[i, 0], luck[i, 1], noise[i, 0])
            reading *= 1.0 if materials[i] == _RETRO else c.gain
        air_m, air_power = _air(c, luck[i, 2], luck[i, 3], luck[i, 4], luck[i, 5])
        if air_m < range_m and air_power > power and _noticed(air_power, air_m, c, luck[i, 5]):
            source[i], range_m, reading = AIR, air_m, 0.04 * luck[i, 0] * c.gain
        elif _noticed(power, range_m, c, luck[i, 5]):
            source[i] = SURFACE
            range_m += c.noise_m * noise[i, 1] + c.grain * table[materials[i], 6] * noise[i, 2]
        else:
            continue
        measured[i] = c.resolution_m * np.rint(range_m / c.resolution_m)
        step = c.remission_step
        remission[i] = min(max(step * np.rint(reading / step), 0.0), c.remission_max)
    return source, measured, remission


@numba.njit(cache=True)
def _surface(table, m, met, i, c, range_m, mirrored, lost, noise):  # pragma: no cover - compiled
    """Reading and power of the echo of a surface of material ``m``; no power where the pulse is mirrored away.

    ``mirrored``, ``lost`` in 0..1 and ``noise`` are this pulse's luck.
    """
    mean, spread, grain, gloss = table[m, 0], table[m, 1], table[m, 2], table[m, 3]
    mirror, patches = table[m, 4], table[m, 7]
    cosine, up, tone, uneven, part = max(met[i, 0], 0.02), met[i, 1], met[i, 2], met[i, 3], met[i, 4]
    panes, offset, slope, floor = met[i, 5], met[i, 6], met[i, 7], met[i, 8]
    # Below 0: so dark that it reads 0, but echoes a little all the same.
    albedo = mean + spread * tone + patches * uneven
    dark = min(max(2.0 - albedo / mean, 0.0), 2.0)  # light paint scatters more of what its skin would mirror
    away = mirror * dark * (1.0 - cosine**8)
    if gloss > 0.0 and up > 0.7:  # a film of water on level ground darkens it and turns it into a mirror
        albedo *= 1.0 - 0.45 * c.wetness
        away += c.wetness * 0.9 * (1.0 - cosine) ** 8
    if part + _STRAY_SHARE * (mirrored - 0.5) < c.dropout * away or lost < _LOST * c.dropout:
        return 0.0, 0.0
    air = np.exp(-2.0 * c.extinction_per_m * range_m)
    through = _PANE ** (2.0 * panes) if panes > 0.0 else 1.0
    power = max(albedo, 0.02) * cosine / range_m**2 * air * through
    fade = c.fade_per_m2 * range_m**2 / air * (1.0 + gloss / cosine)
    grain *= c.grain * min(max(albedo / mean, 0.0), 1.0)  # what is darker than its like has less of it
    reading = PIVOT + offset + slope * (albedo * through - PIVOT) - fade + grain * noise
    if reading < floor * (1.0 + c.grain * (lost - 0.5)):
        return 0.0, power
    return reading, power


@numba.njit(cache=True)
def _air(c, where, drop, strength, luck):  # pragma: no cover - compiled
    """Range and power of the strongest echo from the air: of fog (Hahner et al., ICCV 2021, Eq. 6), or of a drop."""
    if drop < _DROPS_PER_MMPH * c.rain_mmph:
        return c.min_m - 6.0 * np.log(1.0 - where), 1.0
    albedo = np.pi * c.extinction_per_m / _LIDAR_RATIO_SR * _PULSE_M
    if luck > (albedo * strength / (1.0 - strength) / (c.weakest * _NEAR_M**2)) ** 2:
        return np.inf, 0.0  # in clear air nearly every pulse: too weak to be noticed from anywhere
    range_m = _OVERLAP_M * (0.5 + where) / (1.0 - where)  # heavy tail, as overlap / range² has
    overlap = 1.0 - np.exp(-((range_m / _OVERLAP_M) ** 2))
    speckle = -np.log(1.0 - strength)
    return range_m, albedo * speckle * overlap * np.exp(-2.0 * c.extinction_per_m * range_m) / range_m**2


@numba.njit(cache=True)
def _noticed(power, range_m, c, luck):  # pragma: no cover - compiled
    ratio = power / (c.weakest * max(1.0, (_NEAR_M / range_m) ** 2))
    return luck < 1.0 - np.exp(-(ratio**2))
