"""A street small enough to be solved by hand: a ground plate and bodies of few triangles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulation.actors import Actor, Kind, Moment
from simulation.rig import CAMERA_X_M, KITTI_OPTICS, LIDAR_TO_CAMERA, LIDAR_TO_VEHICLE, pixel_rays
from simulation.scene import Body, Hits, Placed, Scene, Solid
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, box, plates
from simulation.truth.sensors import LIDAR_TO_AHEAD
from simulation.world.centreline import turn

# Where a vehicle must stand so that, for all the rig's tilt, its LiDAR (or its camera 0) is level above the street's
# origin and faces along x: the scene's coordinates are then the sensor's, but for its height of 1.73 m above the road.
LEVEL_HEIGHT_M = 1.73
_RAISED = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, LEVEL_HEIGHT_M], [0, 0, 0, 1]], float)
LEVEL_LIDAR = _RAISED @ np.linalg.inv(LIDAR_TO_VEHICLE)
LEVEL_CAMERA = _RAISED @ np.linalg.inv(LIDAR_TO_VEHICLE @ np.linalg.inv(LIDAR_TO_AHEAD))

LOOK = Look(10, Material.CAR_PAINT, (0.5, 0.5, 0.5))
GROUND = plates(np.array([[[-50, -80, 0], [150, -80, 0], [150, 80, 0], [-50, 80, 0]]], float), LOOK)


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0, pitch: float = 0.0) -> np.ndarray:
    """A place in the street, [4,4]: turned by ``yaw``, its nose lowered by ``pitch``."""
    placed = np.eye(4)
    placed[:3, :3], placed[:3, 3] = turn(2, yaw) @ turn(1, pitch), (x, y, z)
    return placed


def car_box(track_id: int, size: Sequence[float] = (4.0, 1.8, 1.5)) -> Body:
    """A box on the ground, as long, wide and high as ``size``."""
    return Body(box(size, (0, 0, size[2] / 2), LOOK).owned(track_id, track_id))


def actor(track_id: int, placed: Placed, kind: Kind = "car") -> Actor:
    return Actor(track_id, kind, placed, moving=True, standing=False)


def moment(
    actors: Sequence[Actor] = (), ego: np.ndarray | None = None, t_s: float = 0.0, props: Sequence[Placed] = ()
) -> Moment:
    """The actors and props on the ground, seen by an ego vehicle that drives on from pose ``ego`` at 10 m/s along x."""
    start = pose() if ego is None else ego

    def ego_at(dt_s: np.ndarray) -> np.ndarray:
        poses = np.repeat(start[None], len(dt_s), 0)
        poses[:, 0, 3] += 10.0 * dt_s
        return poses

    return Moment(t_s, Scene(Solid(GROUND), [*(a.placed for a in actors), *props]), tuple(actors), ego_at)


def look(at: Moment, camera: int = 2) -> Hits:
    """What each pixel of the camera meets."""
    lidar = at.lidar_pose()
    v, u = np.mgrid[:375, :1242]
    centre, directions = pixel_rays(u.ravel(), v.ravel(), camera)
    return at.scene.cast(lidar[:3, :3] @ centre + lidar[:3, 3], directions @ lidar[:3, :3].T)


def in_camera(at: Moment, points: np.ndarray, camera: int = 2) -> np.ndarray:
    """Street coordinates [N,3] in the camera's axes."""
    lidar = at.lidar_pose()
    to_camera = LIDAR_TO_CAMERA @ np.linalg.inv(lidar)
    return points @ to_camera[:3, :3].T + to_camera[:3, 3] - (CAMERA_X_M[camera], 0, 0)


def weights_of_pixels(corners: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How the rays through pixels [N] combine a triangle's ``corners`` [3,3] (camera axes): [N,3].

    A ray meets the triangle where all three are at least 0: then it is a mean of the corners, and 1 / sum its depth.
    No triangle needs clipping for that, wherever its corners are.
    """
    _, _, focal_px, centre_u, centre_v = KITTI_OPTICS
    rays = np.stack([(u - centre_u) / focal_px, (v - centre_v) / focal_px, np.ones_like(u, float)])
    return np.linalg.solve(corners.T, rays).T


def corners_of(at: Moment, placed: Placed, camera: int = 2) -> np.ndarray:
    """A body's triangles in the camera's axes at the moment: [T,3,3]."""
    vertices = placed.body.mesh.vertices @ placed.pose[:3, :3].T + placed.pose[:3, 3]
    return in_camera(at, vertices, camera)[placed.body.mesh.triangles]


def covered(at: Moment, placed: Placed, u: np.ndarray, v: np.ndarray, camera: int = 2) -> np.ndarray:
    """Which of the pixels [N] a body would cover if it were alone."""
    hit = np.zeros(len(u), bool)
    for corners in corners_of(at, placed, camera):
        if abs(np.linalg.det(corners)) > 1e-9:  # otherwise seen edge on
            hit |= (weights_of_pixels(corners, u, v) >= 0).all(1)
    return hit
