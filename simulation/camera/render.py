"""KITTI's colour cameras on the same scene that the LiDAR sees.

A pixel's own ray passes through its centre at the moment itself. Where that is too little, at edges and where the
picture moves while the shutter is open, more rays share the pixel and the exposure; then come lens and sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.actors import Moment
from simulation.camera import blur, film, lamps, samples
from simulation.camera.rain import rainfall
from simulation.camera.sky import daylight
from simulation.camera.textures import FOLIAGE
from simulation.camera.trace import Tracer, reached
from simulation.rig import HEIGHT, LIDAR_TO_CAMERA, WIDTH, pixel_rays
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
    pose = moment.lidar_pose()
    eye = pose[:3, :3] @ mounted + pose[:3, 3]
    directions = np.einsum("ij,nj->ni", pose[:3, :3].astype(np.float32), ahead)  # BLAS is slow on such a shape
    hits = scene.cast(eye, directions)
    points = reached(np.broadcast_to(eye, directions.shape), directions, hits.range_m)
    tracer = Tracer(scene, day, weather.wetness, eye, lamps.headlamps(pose, eye), lamps.scene_lamps(scene, eye))
    luminance = tracer.picture(hits, directions, points, _places())
    grid = luminance.reshape(HEIGHT, WIDTH, 3)
    time_s, gain = film.shutter(grid[..., 1], settings)
    view = _View(tracer, moment, camera, hits, points)
    open_s = 0.0 if settings.exposure_s == 0.0 or not settings.blur else time_s
    view.expose(luminance, open_s, film.full_scale(time_s, gain))
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


@dataclass(frozen=True, eq=False)
class _View:
    """A picture on its way: what its pixels' own rays have met."""

    tracer: Tracer
    moment: Moment
    camera: int
    hits: Hits
    points: np.ndarray

    def expose(self, luminance: np.ndarray, open_s: float, full: np.float32) -> None:
        """Smear ``luminance`` [375·1242,3] over an exposure of ``open_s`` and mend its edges, in place, where that is
        seen in a picture that saturates at ``full``."""
        counts = self._edges(luminance, full)
        if open_s > 0.0:
            mounted = _camera_to_lidar(image_rays(self.camera)[0])
            motion = blur.motion_px(
                self.tracer.scene,
                self.hits,
                self.points,
                lambda dt_s: self.moment.lidar_poses(np.array([dt_s]))[0] @ mounted,
                open_s,
            )
            luminance[:], rays = blur.smear(luminance, motion, full)
            counts = np.maximum(counts, rays)
        extra = samples.extra(counts)
        if len(extra.pixel):
            more = self._more(luminance, extra, counts, open_s)
            for c in range(3):
                luminance[:, c] += np.bincount(extra.pixel, more[:, c], len(luminance)).astype(np.float32)
            luminance /= (1.0 + counts.astype(np.float32))[:, None]

    def _edges(self, luminance: np.ndarray, full: np.float32) -> np.ndarray:
        hits, scene = self.hits, self.tracer.scene
        material = scene.attribute("material")[hits.triangle]
        surface = scene.attribute("object_id")[hits.triangle] * 64 + material
        surface[hits.triangle < 0] = -1
        leafy = material == FOLIAGE
        return samples.edges(hits.triangle, hits.range_m, hits.normal, surface, leafy, luminance, full)

    def _more(self, luminance: np.ndarray, extra: samples.Extra, counts: np.ndarray, open_s: float) -> np.ndarray:
        """Light of the ``extra`` samples, float32 [K,3]."""
        slices_s = ((np.arange(samples.SLICES) + 0.5) / samples.SLICES - 0.5) * open_s
        poses = self.moment.lidar_poses(slices_s) @ _camera_to_lidar(image_rays(self.camera)[0])
        origins, directions, dt_s = samples.rays(extra, poses, slices_s)
        met = self.tracer.scene.cast(origins, directions, dt_s)
        beside = samples.same_surface(extra, counts, met.triangle, self.hits.triangle)
        more = luminance[beside]
        new = np.flatnonzero(beside < 0)
        met = Hits(met.range_m[new], met.triangle[new], met.normal[new])
        ends = reached(origins[new], directions[new], met.range_m)
        more[new] = self.tracer.radiance(met, directions[new], ends, dt_s[new], (extra.u[new], extra.v[new]))
        return more


def _camera_to_lidar(centre: np.ndarray) -> np.ndarray:
    """Camera (x right, y down, z ahead) at ``centre`` [3] to LiDAR, float64 [4,4]."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = LIDAR_TO_CAMERA[:3, :3].T, centre
    return pose
