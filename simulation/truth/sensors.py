"""Where the sensors are at a moment, and the rays of a camera's pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simulation.actors import Moment
from simulation.rig import CAMERA_X_M, LIDAR_TO_CAMERA, Optics

CAMERA_TO_LIDAR = np.linalg.inv(LIDAR_TO_CAMERA)
# LiDAR to camera 0 with the axes named as the LiDAR's: x forward, y left, z up.
LIDAR_TO_AHEAD = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float) @ LIDAR_TO_CAMERA


def lidar_poses(moment: Moment, dt_s: np.ndarray) -> np.ndarray:
    """:meth:`Moment.lidar_poses` for many equal times [N], each reckoned once."""
    times, back = np.unique(np.asarray(dt_s, np.float64), return_inverse=True)
    return moment.lidar_poses(times)[back]


def camera_pose(moment: Moment, camera: int) -> np.ndarray:
    """One camera to street at the moment itself, float64 [4,4]; camera axes: x right, y down, z forward."""
    aside = np.eye(4)
    aside[0, 3] = CAMERA_X_M[camera]
    return moment.lidar_pose() @ CAMERA_TO_LIDAR @ aside


def project(points: np.ndarray, optics: Optics) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (u, v) float64 [N,2] and depths [N] (m) of ``points`` [N,3] in the camera's own axes.

    A point at depth 0 or behind the camera has no pixel: what is returned for it means nothing.
    """
    depth = points[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return points[:, :2] / depth[:, None] * optics.focal_px + (optics.centre_u, optics.centre_v), depth


def pixel_directions(u: np.ndarray, v: np.ndarray, optics: Optics) -> np.ndarray:
    """Directions float64 [N,3] through pixels (u, v) [N], in the camera's own axes, at depth 1 (not unit vectors)."""
    x, y = (u - optics.centre_u) / optics.focal_px, (v - optics.centre_v) / optics.focal_px
    return np.stack([x, y, np.ones(len(u))], 1)


@lru_cache(maxsize=1)
def image_directions(optics: Optics) -> np.ndarray:
    """:func:`pixel_directions` of every pixel, row by row: float64 [H·W,3], not to be written to."""
    v, u = np.mgrid[: optics.height, : optics.width]
    directions = pixel_directions(u.ravel(), v.ravel(), optics)
    directions.flags.writeable = False
    return directions


def moved(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``points`` [N,3] carried by ``pose`` [4,4]."""
    return points @ pose[:3, :3].T + pose[:3, 3]
