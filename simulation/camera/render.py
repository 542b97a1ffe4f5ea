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
from simulation.rig import KITTI_OPTICS, LIDAR_TO_CAMERA, Optics, pixel_rays
from simulation.scene import Hits
from simulation.settings import CameraSettings
from simulation.weather import Weather


@dataclass(frozen=True, eq=False)
class Picture:
    """``image`` uint8 [H,W,3] BGR; ``hits``: what each pixel's own ray (through its centre, at the moment itself)
    meets, row by row, [H·W]."""

    image: np.ndarray
    hits: Hits


def render(
    moment: Moment, weather: Weather, settings: CameraSettings, rng: np.random.Generator, camera: int = 2
) -> Picture:
    """What one of the cameras (2 left colour, 3 right colour) takes at the moment."""
    scene, day, optics = moment.scene, daylight(weather), settings.optics
    mounted, ahead = image_rays(camera, optics)
    pose = moment.lidar_pose()
    eye = pose[:3, :3] @ mounted + pose[:3, 3]
    directions = np.einsum("ij,nj->ni", pose[:3, :3].astype(np.float32), ahead)  # BLAS is slow on such a shape
    hits = scene.cast(eye, directions)
    points = reached(np.broadcast_to(eye, directions.shape), directions, hits.range_m)
    lit = (lamps.headlamps(pose, eye), lamps.scene_lamps(scene, eye))
    tracer = Tracer(scene, day, weather.wetness, eye, optics, *lit)
    luminance = tracer.picture(hits, directions, points, _places(optics))
    grid = luminance.reshape(optics.height, optics.width, 3)
    time_s, gain = film.shutter(grid[..., 1], settings)
    view = _View(tracer, moment, camera, hits, points)
    open_s = 0.0 if settings.exposure_s == 0.0 or not settings.blur else time_s
    view.expose(luminance, open_s, film.full_scale(time_s, gain))
    if weather.rain_mmph > 0.0:
        rainfall(grid, optics.focal_px, weather.rain_mmph, time_s, day, rng)
    return Picture(film.develop(grid, time_s, gain, day, settings.noise, rng), hits)


@lru_cache(maxsize=4)
def image_rays(camera: int, optics: Optics = KITTI_OPTICS) -> tuple[np.ndarray, np.ndarray]:
    """The camera's centre float64 [3] and its pixels' directions float32 [H·W,3], both in the LiDAR frame."""
    u, v = _places(optics)
    centre, directions = pixel_rays(u.astype(float), v.astype(float), camera, optics)
    return centre, directions.astype(np.float32)


@lru_cache(maxsize=1)
def _places(optics: Optics) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's (u, v), float32 [H·W] each, row by row."""
    v, u = np.mgrid[: optics.height, : optics.width].astype(np.float32)
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
        """Smear ``luminance`` [H·W,3] over an exposure of ``open_s`` and mend its edges, in place, where that is
        seen in a picture that saturates at ``full``."""
        counts, optics = self._edges(luminance, full), self.tracer.optics
        if open_s > 0.0:
            mounted = _camera_to_lidar(image_rays(self.camera, optics)[0])
            motion = blur.motion_px(
                self.tracer.scene,
                self.hits,
                self.points,
                lambda dt_s: self.moment.lidar_poses(np.array([dt_s]))[0] @ mounted,
                open_s,
                optics.focal_px,
            )
            luminance[:], rays = blur.smear(luminance, motion, full, optics.width)
            counts = np.maximum(counts, rays)
        extra = samples.extra(counts, optics.width)
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
        width = self.tracer.optics.width
        return samples.edges(hits.triangle, hits.range_m, hits.normal, surface, leafy, luminance, full, width)

    def _more(self, luminance: np.ndarray, extra: samples.Extra, counts: np.ndarray, open_s: float) -> np.ndarray:
        """Light of the ``extra`` samples, float32 [K,3]."""
        optics = self.tracer.optics
        slices_s = ((np.arange(samples.SLICES) + 0.5) / samples.SLICES - 0.5) * open_s
        poses = self.moment.lidar_poses(slices_s) @ _camera_to_lidar(image_rays(self.camera, optics)[0])
        origins, directions, dt_s = samples.rays(extra, poses, slices_s, optics)
        met = self.tracer.scene.cast(origins, directions, dt_s)
        beside = samples.same_surface(extra, counts, met.triangle, self.hits.triangle, optics.width)
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
