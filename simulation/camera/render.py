"""KITTI's left colour camera (image_2) on the same scene that the LiDAR sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import Moment
from simulation.rig import HEIGHT, LIDAR_TO_VEHICLE, WIDTH, pixel_rays
from simulation.scene import Hits, Scene
from simulation.settings import CameraSettings
from simulation.shapes.materials import BUILDING, Material, cell_noise, is_mortar, is_window
from simulation.weather import Weather

_HAZE_M = 320.0  # distance at which haze has swallowed 63 % of the light
_GAMMA = 1.6
_BAND = 25 * WIDTH  # pixels rendered at a time
_SHADOW_M = np.float32(150.0)  # nothing farther away casts a shadow here
_GROUND = (Material.ASPHALT, Material.PARKING, Material.PAVING, Material.GRASS, Material.GRAVEL)


@dataclass(frozen=True, eq=False)
class Picture:
    """``image`` uint8 [375,1242,3] BGR; ``hits``: what each pixel's own ray (through its centre, at the moment itself)
    meets, row by row, [375·1242]."""

    image: np.ndarray
    hits: Hits


def render(
    moment: Moment, weather: Weather, settings: CameraSettings, rng: np.random.Generator, camera: int = 2
) -> Picture:
    """What one of the cameras (2 left colour, 3 right colour) takes at the moment."""
    pose = moment.ego(np.zeros(1))[0] @ LIDAR_TO_VEHICLE
    centre, directions = image_rays(camera)
    image = np.empty((HEIGHT * WIDTH, 3), np.uint8)
    parts = []
    for first in range(0, len(image), _BAND):  # a band's arrays stay in the processor's cache
        band = directions[first : first + _BAND]
        image[first : first + _BAND], hits = _render_rays(moment.scene, pose, weather, centre, band)
        parts.append((hits.range_m, hits.triangle, hits.normal))
    hits = Hits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return Picture(image.reshape(HEIGHT, WIDTH, 3), hits)


@lru_cache(maxsize=4)
def image_rays(camera: int) -> tuple[np.ndarray, np.ndarray]:
    """The camera's centre float64 [3] and its pixels' directions float32 [375·1242,3], both in the LiDAR frame."""
    v, u = (grid.ravel().astype(np.float64) for grid in np.mgrid[:HEIGHT, :WIDTH])
    centre, directions = pixel_rays(u, v, camera)
    return centre, directions.astype(np.float32)


def _render_rays(
    scene: Scene, pose: np.ndarray, weather: Weather, centre: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, Hits]:
    directions = directions @ pose[:3, :3].T.astype(np.float32)
    centre = pose[:3, :3] @ centre + pose[:3, 3]
    hits = scene.cast(centre, directions)
    colour = _sky(directions, weather)
    seen = np.flatnonzero(hits.triangle >= 0)
    range_m, normals = hits.range_m[seen, None], hits.normal[seen]
    points = centre + (range_m * directions[seen]).astype(np.float64)  # float64: a long drive's coordinates are large
    surface = _albedo(scene, hits.triangle[seen], points, normals)
    lit = _light(scene, points, normals, weather)
    haze = 1.0 - np.exp(-range_m / _HAZE_M)
    colour[seen] = (1.0 - haze) * surface * lit + haze * _floats(0.78, 0.82, 0.88)
    encoded = 255 * np.clip(colour, 0.0, 1.0) ** np.float32(1 / _GAMMA) + 0.5
    return encoded.astype(np.uint8)[:, ::-1], hits


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _sky(looking: np.ndarray, weather: Weather) -> np.ndarray:
    """Colour of the sky in each direction [N,3] (street frame): float32 RGB [N,3]."""
    up = np.clip(looking[:, 2:], 0.0, 1.0) ** np.float32(0.6)
    zenith = (1 - weather.overcast) * _floats(0.2, 0.42, 0.78) + weather.overcast * _floats(0.62, 0.66, 0.7)
    glow = np.clip(looking @ _floats(*weather.sun), 0.0, 1.0)[:, None] ** 40 * np.float32(0.5 * (1 - weather.overcast))
    return (1 - up) * _floats(0.8, 0.85, 0.9) + up * zenith.astype(np.float32) + glow


def _light(scene: Scene, points: np.ndarray, normals: np.ndarray, weather: Weather) -> np.ndarray:
    """Sunlight where nothing is in its way, and skylight everywhere: float32 [N,3]."""
    sun = _floats(*weather.sun)
    facing = np.clip(normals @ sun, 0.0, 1.0)
    lit = np.flatnonzero(facing > 0)
    shadow = scene.blocked(
        points[lit] + np.float32(0.02) * normals[lit], np.broadcast_to(_SHADOW_M * sun, (len(lit), 3))
    )
    facing[lit[shadow]] = 0.0
    sunlight = np.float32(0.95 * (1.0 - 0.8 * weather.overcast)) * _floats(1.0, 0.95, 0.86)
    skylight = np.float32(0.5 + 0.25 * weather.overcast) * _floats(0.9, 0.96, 1.06)
    return facing[:, None] * sunlight + (np.float32(0.75) + np.float32(0.25) * normals[:, 2:]) * skylight


def _albedo(scene: Scene, triangle: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Colour of each hit before light, with its texture: float32 RGB [N,3]. ``points``, ``normals``: street frame."""
    material, label = scene.attribute("material")[triangle], scene.attribute("label")[triangle]
    colour = scene.attribute("rgb")[triangle] ** np.float32(_GAMMA)  # to linear light
    ground = np.flatnonzero(np.isin(material, _GROUND))
    grain = np.where(material[ground] == Material.GRASS, np.float32(0.5), np.float32(0.16))
    speck = cell_noise(points[ground], 0.06) * np.float32(0.6) + cell_noise(points[ground], 0.7) * np.float32(0.4)
    colour[ground] *= (1 + grain * (speck - np.float32(0.5)))[:, None]
    paving = np.flatnonzero(material == Material.PAVING)
    joints = (np.mod(points[paving, :2], 0.5) < 0.03).any(1) & (normals[paving, 2] > 0.5)
    colour[paving[joints]] *= np.float32(0.72)
    brick = np.flatnonzero(material == Material.BRICK)
    colour[brick[is_mortar(points[brick], normals[brick])]] *= np.float32(1.35)
    facade = np.flatnonzero((label == BUILDING) & ((material == Material.PLASTER) | (material == Material.BRICK)))
    panes = facade[is_window(points[facade], normals[facade])]
    colour[panes] = _floats(0.06, 0.08, 0.1) + np.float32(0.12) * cell_noise(points[panes], 1.3)[:, None]
    return colour
