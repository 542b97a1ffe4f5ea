"""KITTI's colour cameras on the same scene that the LiDAR sees.

A pixel's own ray passes through its centre at the moment itself. Where that is too little, at edges and where the
picture moves while the shutter is open, more rays share the pixel and the exposure; then come lens and sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import Moment
from simulation.camera import film, lamps, samples
from simulation.camera.rain import rainfall
from simulation.camera.sky import daylight
from simulation.camera.trace import Tracer
from simulation.rig import HEIGHT, LIDAR_TO_CAMERA, LIDAR_TO_VEHICLE, WIDTH, pixel_rays
from simulation.scene import Hits
from simulation.settings import CameraSettings
from simulation.weather import Weather


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
    scene, day = moment.scene, daylight(weather)
    mounted, ahead = image_rays(camera)
    pose = moment.ego(np.zeros(1))[0] @ LIDAR_TO_VEHICLE
    eye = pose[:3, :3] @ mounted + pose[:3, 3]
    directions = ahead @ pose[:3, :3].T.astype(np.float32)
    hits = scene.cast(eye, directions)
    points = eye + np.where(hits.triangle >= 0, hits.range_m, np.float32(0.0))[:, None] * directions
    tracer = Tracer(scene, day, weather.wetness, eye, lamps.headlamps(pose, eye), lamps.scene_lamps(scene, eye))
    tracer.open_where(points, hits)
    luminance = tracer.radiance(hits, eye, directions, points, pixels=_places())
    grid = luminance.reshape(HEIGHT, WIDTH, 3)
    time_s, gain = film.shutter(grid[..., 1], settings)
    _add_samples(luminance, tracer, moment, settings, camera, hits, points, time_s)
    if weather.rain_mmph > 0.0:
        rainfall(grid, weather.rain_mmph, time_s, day, rng)
    return Picture(film.develop(grid, time_s, gain, day, settings.noise, rng), hits)


@lru_cache(maxsize=4)
def image_rays(camera: int) -> tuple[np.ndarray, np.ndarray]:
    """The camera's centre float64 [3] and its pixels' directions float32 [375·1242,3], both in the LiDAR frame."""
    u, v = _places()
    centre, directions = pixel_rays(u.astype(float), v.astype(float), camera)
    return centre, directions.astype(np.float32)


@lru_cache(maxsize=1)
def _places() -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's (u, v), float32 [375·1242] each, row by row."""
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return u.ravel(), v.ravel()


def _add_samples(
    luminance: np.ndarray,
    tracer: Tracer,
    moment: Moment,
    settings: CameraSettings,
    camera: int,
    hits: Hits,
    points: np.ndarray,
    time_s: float,
) -> None:
    """Mix further rays into those pixels of ``luminance`` [375·1242,3] that need them, in place."""
    open_s = time_s if settings.blur else 0.0
    scene = tracer.scene
    centre, _ = image_rays(camera)
    to_vehicle = LIDAR_TO_VEHICLE @ _camera_to_lidar(centre)
    motion = samples.motion_px(scene, hits, points, lambda dt_s: moment.ego(np.array([dt_s]))[0] @ to_vehicle, open_s)
    surface = scene.attribute("object_id")[hits.triangle] * 64 + scene.attribute("material")[hits.triangle]
    edge = samples.edges(hits.triangle, hits.range_m, hits.normal, surface)
    extra = samples.extra(edge, motion)
    if not len(extra.pixel):
        return
    _, ahead = pixel_rays(extra.u.astype(float), extra.v.astype(float), camera)
    when = np.floor((extra.share + 0.5) * samples.SLICES).astype(int).clip(0, samples.SLICES - 1)
    slices_s = ((np.arange(samples.SLICES) + 0.5) / samples.SLICES - 0.5) * open_s
    poses = moment.ego(slices_s) @ LIDAR_TO_VEHICLE
    origins = (poses[:, :3, :3] @ centre + poses[:, :3, 3])[when]
    directions = np.einsum("nij,nj->ni", poses[when, :3, :3], ahead).astype(np.float32)
    dt_s = slices_s[when].astype(np.float32)
    met = scene.cast(origins, directions, dt_s)
    ends = origins + np.where(met.triangle >= 0, met.range_m, np.float32(0.0))[:, None] * directions
    more = tracer.radiance(met, origins, directions, ends, dt_s, (extra.u, extra.v))
    counts = np.bincount(extra.pixel, minlength=len(luminance)).astype(np.float32)
    for c in range(3):
        luminance[:, c] += np.bincount(extra.pixel, more[:, c], len(luminance)).astype(np.float32)
    luminance /= (1.0 + counts)[:, None]


def _camera_to_lidar(centre: np.ndarray) -> np.ndarray:
    """Camera (x right, y down, z ahead) at ``centre`` [3] to LiDAR, float64 [4,4]."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = LIDAR_TO_CAMERA[:3, :3].T, centre
    return pose
