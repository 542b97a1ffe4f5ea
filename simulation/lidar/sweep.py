"""A Velodyne HDL-64E as KITTI's vehicle carries it.

Two blocks of 32 lasers: 1/3 degree apart from +2.0 down to -8.33 degrees, and 1/2 degree apart from -8.83 down to
-24.33. The upper block looks out 21 cm above the point that KITTI takes as the sensor's origin, the lower one 10 cm
(fitted to real scans: z = range_xy · tan(elevation) + offset). The vehicle's roof hides part of the lowest beams.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import Moment
from simulation.rig import LIDAR_TO_VEHICLE
from simulation.scene import Scene
from simulation.shapes.materials import (
    BUILDING,
    LOST,
    OBJECT_SPREAD,
    POINT_SPREAD,
    REMISSION,
    ROUGHNESS_M,
    Material,
    hash_unit,
    is_window,
)

BEAMS, COLUMNS = 64, 2170
MAX_RANGE_M = 80.0
RANGE_NOISE_M = 0.015
_BLOCK = 8 * COLUMNS  # rays cast at a time: their arrays stay in the processor's cache
_ROOF = (-1.5, 1.0, 0.62, 0.35)  # rear, front, half width, depth below the origin (m)
_WEAKEST = 2.5e-6  # remission · cos(incidence) / range² at which 63 % of pulses still return
_FACADES = (Material.PLASTER, Material.BRICK)


@dataclass(frozen=True)
class Scan:
    """``points`` float32 [N,4]: x y z (metres, LiDAR frame) and remission 0..1, ring by ring from the top, each ring
    counter-clockwise from straight ahead. ``labels`` uint32 [N]: SemanticKITTI, instance in the upper 16 bits.
    ``object_ids`` int64 [N]: which object of the street each point lies on."""

    points: np.ndarray
    labels: np.ndarray
    object_ids: np.ndarray


@dataclass(frozen=True)
class Revolution:
    """The rays of one turn, ring by ring from the top, without those that the roof hides.

    ``origins`` and unit ``directions`` float64 [R,3], LiDAR frame; ``gain`` [R]: each laser's own remission factor.
    """

    origins: np.ndarray
    directions: np.ndarray
    gain: np.ndarray


@lru_cache(maxsize=1)
def revolution() -> Revolution:
    """The sensor's rays; the same in every turn."""
    beam = np.arange(BEAMS)
    degrees = np.where(beam < 32, 2.0 - beam / 3.0, -8.83 - (beam - 32) / 2.0)
    elevation = np.radians(degrees + 0.06 * (hash_unit(beam + 1000) - 0.5))  # no two lasers are mounted alike
    height, gain = np.where(beam < 32, 0.21, 0.10), 0.85 + 0.3 * hash_unit(beam + 2000)
    elevation, height, gain = (np.repeat(a, COLUMNS) for a in (elevation, height, gain))
    azimuth = np.tile((np.arange(COLUMNS) + 0.5) * (2 * np.pi / COLUMNS), BEAMS)
    directions = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1
    )
    origins = np.zeros_like(directions)
    origins[:, 2] = height
    rear, front, half_width, depth = _ROOF
    reach = (height + depth) / np.maximum(-directions[:, 2], 1e-9)
    x, y = reach * directions[:, 0], reach * directions[:, 1]
    seen = ~((x > rear) & (x < front) & (np.abs(y) < half_width))
    return Revolution(origins[seen], directions[seen], gain[seen])


def scan(moment: Moment, rng: np.random.Generator) -> Scan:
    """One revolution, motion-compensated as KITTI's odometry scans are."""
    pose = moment.ego(np.zeros(1))[0] @ LIDAR_TO_VEHICLE
    turn = revolution()
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(turn.gain), _BLOCK)]
    parts = [_fire(moment.scene, pose, rng, turn.origins[b], turn.directions[b], turn.gain[b]) for b in blocks]
    return Scan(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _fire(
    scene: Scene,
    pose: np.ndarray,
    rng: np.random.Generator,
    origins: np.ndarray,
    directions: np.ndarray,
    gain: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What comes back from some of the rays: points, labels and object ids of a :class:`Scan`."""
    turn, place = pose[:3, :3], pose[:3, 3]
    hits = scene.cast(origins @ turn.T + place, directions @ turn.T)
    noise = rng.standard_normal((len(origins), 3))
    luck = rng.random((len(origins), 2))

    hit = np.flatnonzero((hits.triangle >= 0) & (hits.range_m < MAX_RANGE_M))
    triangle, range_m, normal = hits.triangle[hit], hits.range_m[hit].astype(np.float64), hits.normal[hit] @ turn
    material = scene.attribute("material")[triangle].astype(np.int64)
    object_id = scene.attribute("object_id")[triangle]
    on_street = (origins[hit] + range_m[:, None] * directions[hit]) @ pose[:3, :3].T + pose[:3, 3]
    facade = np.isin(material, _FACADES) & (scene.attribute("label")[triangle] == BUILDING)
    window = facade & is_window(on_street, normal @ pose[:3, :3].T)
    material[window] = Material.GLASS

    cosine = np.abs(np.einsum("ij,ij->i", normal, directions[hit]))
    tone = np.exp(OBJECT_SPREAD[material] * 2.0 * (hash_unit(object_id * 31 + material) - 0.5))
    albedo = REMISSION[material] * tone
    strength = albedo * np.maximum(cosine, 0.02) / np.maximum(range_m, 5.0) ** 2
    kept = (luck[hit, 0] > LOST[material]) & (luck[hit, 1] < 1.0 - np.exp(-strength / _WEAKEST))

    remission = albedo * gain[hit] * (0.8 + 0.2 * cosine) + POINT_SPREAD[material] * noise[hit, 0]
    remission = np.round(np.clip(remission, 0.0, 0.99), 2)
    measured = range_m + RANGE_NOISE_M * noise[hit, 1] + ROUGHNESS_M[material] * noise[hit, 2]
    points = np.empty((len(hit), 4), np.float32)
    points[:, :3] = origins[hit] + measured[:, None] * directions[hit]
    points[:, 3] = remission
    labels = scene.attribute("label")[triangle].astype(np.uint32) | (
        scene.attribute("instance")[triangle].astype(np.uint32) << 16
    )
    return points[kept], labels[kept], object_id[kept]
