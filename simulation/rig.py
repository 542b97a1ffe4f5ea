"""Where the sensors sit on the vehicle: KITTI's rig (Geiger et al., *Vision meets Robotics*, IJRR 2013, Fig. 3).

Frames: vehicle (ground point below the LiDAR: x forward, y left, z up), LiDAR (x forward, y left, z up, its nose a
little down), camera 0 (x right, y down, z forward). Cameras are rectified: they share camera 0's axes and differ in x
alone.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np


class Optics(NamedTuple):
    """A camera's image size, focal length and principal point, in pixels. Compiled code takes it as it is."""

    width: int
    height: int
    focal_px: float
    centre_u: float
    centre_v: float


KITTI_OPTICS = Optics(1242, 375, 721.5377, 609.5593, 172.854)  # of all four cameras

# Planes fitted to the road in SemanticKITTI's scans lie 1.79 m below the LiDAR (its maker's drawing says 1.73 m) and
# rise towards its front by 0.4 to 0.8 degrees; KITTI's own calibration turns the cameras up against it by 0.85.
LIDAR_HEIGHT_M = 1.78
_NOSE_DOWN, _CAMERA_UP = math.radians(0.7), math.radians(0.85)
CAMERA_X_M = (0.0, 0.54, -0.06, 0.48)  # cameras 0..3 on camera 0's x axis: grey left, right; colour left, right
# LiDAR to camera 0, float64 [4,4]: the camera is 0.27 m ahead of and 0.08 m below the LiDAR.
LIDAR_TO_CAMERA = np.array(
    [
        [0, -1, 0, 0],
        [math.sin(_CAMERA_UP), 0, -math.cos(_CAMERA_UP), -0.08],
        [math.cos(_CAMERA_UP), 0, math.sin(_CAMERA_UP), -0.27],
        [0, 0, 0, 1],
    ]
)
LIDAR_TO_VEHICLE = np.array(
    [
        [math.cos(_NOSE_DOWN), 0, math.sin(_NOSE_DOWN), 0],
        [0, 1, 0, 0],
        [-math.sin(_NOSE_DOWN), 0, math.cos(_NOSE_DOWN), LIDAR_HEIGHT_M],
        [0, 0, 0, 1],
    ]
)
# The inertial unit is 0.81 m behind, 0.32 m left of and 0.80 m below the LiDAR.
IMU_TO_LIDAR = np.array([[1, 0, 0, -0.81], [0, 1, 0, 0.32], [0, 0, 1, -0.80], [0, 0, 0, 1]], float)


@cache
def scaled_optics(scale: float) -> Optics:
    """KITTI's optics with images ``scale`` times as wide and high that show the same."""
    if scale == 1.0:
        return KITTI_OPTICS
    width, height, focal_px, centre_u, centre_v = KITTI_OPTICS
    # Pixel centres are at whole numbers: the image's corner, which stays, is at -0.5.
    u, v = ((centre + 0.5) * scale - 0.5 for centre in (centre_u, centre_v))
    return Optics(round(width * scale), round(height * scale), focal_px * scale, u, v)


def projection(camera: int, optics: Optics = KITTI_OPTICS) -> np.ndarray:
    """KITTI's P of one camera, float64 [3,4]: camera-0 coordinates to pixels (times depth)."""
    _, _, focal_px, centre_u, centre_v = optics
    shift = -focal_px * CAMERA_X_M[camera]
    return np.array([[focal_px, 0, centre_u, shift], [0, focal_px, centre_v, 0], [0, 0, 1, 0]], float)


def project(points: np.ndarray, camera: int = 2, optics: Optics = KITTI_OPTICS) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (u, v) float64 [N,2] in one camera's image, and depths [N] (m), of ``points`` [N,3] in the LiDAR frame."""
    in_camera = points @ LIDAR_TO_CAMERA[:3, :3].T + LIDAR_TO_CAMERA[:3, 3]
    to_image = projection(camera, optics)
    image = in_camera @ to_image[:, :3].T + to_image[:, 3]
    return image[:, :2] / image[:, 2:], image[:, 2]


def pixel_rays(
    u: np.ndarray, v: np.ndarray, camera: int = 2, optics: Optics = KITTI_OPTICS
) -> tuple[np.ndarray, np.ndarray]:
    """The camera's centre float64 [3] and unit directions [N,3] of its pixels (u, v) [N], both in the LiDAR frame."""
    turn = LIDAR_TO_CAMERA[:3, :3]
    x, y = (u - optics.centre_u) / optics.focal_px, (v - optics.centre_v) / optics.focal_px
    directions = np.stack([x, y, np.ones_like(u, float)], 1) @ turn
    centre = ((CAMERA_X_M[camera], 0.0, 0.0) - LIDAR_TO_CAMERA[:3, 3]) @ turn
    return centre, directions / np.linalg.norm(directions, axis=1, keepdims=True)
