"""Where everything that a sensor sees has gone by the drive's next frame: optical flow, scene flow.

A point keeps its place on its triangle. What stands keeps its place in the street; a body of the next moment has the
same triangles in the same order (:meth:`simulation.shapes.catalogue.Model.mesh`), so a walker's legs are followed too.
Where an actor is not there any more, its points have no flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.actors import Moment
from simulation.rig import KITTI_OPTICS, Optics
from simulation.scene import Hits, Placed
from simulation.truth.sensors import camera_pose, image_directions, lidar_poses, moved, project

_NEAR_M = 0.1  # nearer to the camera's plane nothing has a pixel
_SLACK_M, _SLACK = 0.02, 1e-3  # a line of sight ends this much (and this share of it) before the point it looks at


@dataclass(frozen=True, eq=False)
class Flow:
    """Optical flow of a picture to the next one.

    ``uv`` float32 [H,W,2] pixels: the next place of what a pixel shows, minus the pixel; 0 where not valid. ``valid``
    bool [H,W]: there is a surface, and it is still there and in front of the camera. ``occluded`` bool [H,W]: valid,
    but outside the next picture or hidden in it (KITTI's *occ* is ``valid``, its *noc* is ``valid & ~occluded``).
    """

    uv: np.ndarray
    valid: np.ndarray
    occluded: np.ndarray


@dataclass(frozen=True, eq=False)
class SceneFlow:
    """Displacements to the next frame, float32 [..., 3] metres, 0 where not ``valid`` (bool [...]).

    ``total_m``: coordinates in the sensor's frame then, minus those in its frame now, so a point plus its ``total_m``
    lies on the next scan. ``own_m``: the part that is not the sensor's own motion, along the sensor's axes now: 0 for
    what stands.
    """

    total_m: np.ndarray
    own_m: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class Followed:
    """What pixels of a picture show that is still there at the next moment: K of them, of the surfaces seen.

    ``pixel`` int64 [K]: numbered row by row; ``now``, ``then`` float64 [K,3]: where that is at ``moment`` and at
    ``following``, street coordinates.
    """

    moment: Moment
    following: Moment
    camera: int
    optics: Optics
    pixel: np.ndarray
    now: np.ndarray
    then: np.ndarray


def follow(moment: Moment, hits: Hits, following: Moment, camera: int = 2, optics: Optics = KITTI_OPTICS) -> Followed:
    """Follow what the picture with ``hits``, taken by ``camera`` at ``moment``, shows to the ``following`` moment."""
    pixel = np.flatnonzero(hits.triangle >= 0)
    rays = image_directions(optics)[pixel]
    rays *= (hits.range_m[pixel] / np.linalg.norm(rays, axis=1))[:, None]
    now = moved(camera_pose(moment, camera), rays)
    then, there = _next_places(moment, hits.triangle[pixel], now, following, np.zeros(len(pixel)))
    return Followed(moment, following, camera, optics, pixel[there], now[there], then[there])


def optical_flow(seen: Followed) -> Flow:
    """Flow of the picture to the next one."""
    pose, (width, height) = camera_pose(seen.following, seen.camera), seen.optics[:2]
    places, depth = project(moved(np.linalg.inv(pose), seen.then), seen.optics)
    ahead = depth > _NEAR_M
    pixel, then, places = seen.pixel[ahead], seen.then[ahead], places[ahead]

    uv, valid, occluded = np.zeros((height * width, 2), np.float32), *np.zeros((2, height * width), bool)
    uv[pixel] = places - np.stack([pixel % width, pixel // width], 1)
    valid[pixel] = True
    outside = (places < -0.5).any(1) | (places[:, 0] >= width - 0.5) | (places[:, 1] >= height - 0.5)
    occluded[pixel] = outside | _hidden(seen.following, pose[:3, 3], then)
    shape = (height, width)
    return Flow(uv.reshape(*shape, 2), valid.reshape(shape), occluded.reshape(shape))


def pixel_scene_flow(seen: Followed) -> SceneFlow:
    """Scene flow of each pixel's surface, [H,W,...], in the camera's axes: x right, y down, z forward."""
    now, later = (np.linalg.inv(camera_pose(m, seen.camera))[None] for m in (seen.moment, seen.following))
    width, height = seen.optics[:2]
    flow = _scene_flow(seen.pixel, height * width, seen.now, seen.then, now, later)
    return SceneFlow(*(field.reshape(height, width, *field.shape[1:]) for field in vars(flow).values()))


def point_scene_flow(
    moment: Moment,
    points: np.ndarray,
    triangle: np.ndarray,
    dt_s: np.ndarray,
    following: Moment,
    *,
    compensated: bool = True,
) -> SceneFlow:
    """Scene flow of a scan's ``points`` [N,≥3] on ``triangle`` [N] sent at ``dt_s`` [N], one frame on, in LiDAR frames.

    Each point is followed to ``dt_s`` after the ``following`` moment, when its turn meets it again. Returns that met
    nothing of the street (``triangle`` -1: air, the own vehicle) have no flow. ``compensated``: the points are in the
    frame that the LiDAR has at the moment; otherwise each is in the frame of its own pulse.
    """
    met = np.flatnonzero(triangle >= 0)
    times = np.asarray(dt_s, np.float64)[met]
    frames = times if not compensated else np.zeros(1)
    poses, next_poses = lidar_poses(moment, frames), lidar_poses(following, frames)
    places = _carried(poses, points[met, :3].astype(np.float64))
    then, there = _next_places(moment, triangle[met], places, following, times)
    if not compensated:
        poses, next_poses = poses[there], next_poses[there]
    now, later = np.linalg.inv(poses), np.linalg.inv(next_poses)
    return _scene_flow(met[there], len(points), places[there], then[there], now, later)


def _next_places(
    moment: Moment, triangle: np.ndarray, points: np.ndarray, following: Moment, dt_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where ``points`` [N,3] (street) on ``triangle`` [N], seen ``dt_s`` [N] after the moment, are that long after the
    following one, float64 [N,3], and whether they are there at all, bool [N]."""
    then, there = points.copy(), np.ones(len(points), bool)
    which, own = moment.scene.which(triangle), moment.scene.own_triangle(triangle)
    on_bodies = np.flatnonzero(which >= 0)
    bodies = {actor.track_id: actor.placed for actor in following.actors}
    for k, placed in enumerate(moment.scene.placed):
        chosen = on_bodies[which[on_bodies] == k]
        track_id = int(placed.body.mesh.instance[0])
        if not len(chosen) or track_id == 0:  # a prop (a signal's head) changes, but stays where it is
            continue
        if track_id not in bodies:
            there[chosen] = False
            continue
        times = dt_s[chosen]
        weights = _weights(placed, own[chosen], _carried(np.linalg.inv(_poses(placed, times)), points[chosen]))
        then[chosen] += _corners(bodies[track_id], own[chosen], weights, times)
        then[chosen] -= _corners(placed, own[chosen], weights, times)
    return then, there


def _weights(placed: Placed, triangle: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Barycentric weights float64 [N,3], none negative, of points ``local`` [N,3] (body frame) in its triangles [N].

    A measured point lies beside its triangle; the place on it that is meant is near enough.
    """
    a, b, c = np.moveaxis(placed.body.mesh.vertices[placed.body.mesh.triangles[triangle]], 1, 0)
    e, f, d = b - a, c - a, local - a
    ee, ef, ff, de, df = (np.einsum("ij,ij->i", x, y) for x, y in ((e, e), (e, f), (f, f), (d, e), (d, f)))
    area = np.maximum(ee * ff - ef * ef, 1e-18)
    beta, gamma = (ff * de - ef * df) / area, (ee * df - ef * de) / area
    weights = np.clip(np.stack([1.0 - beta - gamma, beta, gamma], 1), 0.0, 1.0)
    return weights / weights.sum(1, keepdims=True)


def _corners(placed: Placed, triangle: np.ndarray, weights: np.ndarray, dt_s: np.ndarray) -> np.ndarray:
    """Street coordinates float64 [N,3] of the places with barycentric ``weights`` [N,3] on a body, at ``dt_s`` [N]."""
    mesh = placed.body.mesh
    return _carried(_poses(placed, dt_s), np.einsum("ni,nij->nj", weights, mesh.vertices[mesh.triangles[triangle]]))


def _poses(placed: Placed, dt_s: np.ndarray) -> np.ndarray:
    """``placed.pose_at`` for many times [N]: float64 [N,4,4]."""
    times, back = np.unique(dt_s, return_inverse=True)
    return np.stack([placed.pose_at(float(dt)) for dt in times])[back]


def _carried(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """``points`` [N,3], each carried by its own of ``poses`` [N,4,4], or all by one [1,4,4]."""
    if len(poses) == 1:
        return moved(poses[0], points)
    return np.einsum("nij,nj->ni", poses[:, :3, :3], points) + poses[:, :3, 3]


def _hidden(moment: Moment, eye: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether anything stands between ``eye`` [3] and ``points`` [N,3]: bool [N]."""
    reach = points - eye
    length = np.linalg.norm(reach, axis=1, keepdims=True)
    reach *= np.maximum(1.0 - _SLACK - _SLACK_M / length, 0.0)
    return moment.scene.blocked(np.broadcast_to(eye, reach.shape), reach)


def _scene_flow(
    where: np.ndarray, size: int, points: np.ndarray, then: np.ndarray, now: np.ndarray, later: np.ndarray
) -> SceneFlow:
    """Fields over ``size`` places, filled at ``where`` [K] from street coordinates ``points`` and ``then`` [K,3].

    ``now`` and ``later`` [K or 1,4,4]: street to sensor, in this frame and the next.
    """
    total, own, valid = *np.zeros((2, size, 3), np.float32), np.zeros(size, bool)
    local = _carried(now, points)
    total[where] = _carried(later, then) - local
    own[where] = _carried(now, then) - local
    valid[where] = True
    return SceneFlow(total, own, valid)
