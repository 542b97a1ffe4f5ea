"""3-D boxes around actors where the LiDAR meets them, as annotators draw them around its points.

A box has a heading but no roll and pitch, so each actor has two: one upright in the LiDAR's frame and one upright in
camera 0's, as KITTI's labels are, for the rig tilts one against the other. A box holds every vertex of the body as it
is then: so its size follows a walker's step, and grows a little where street or sensor tilt the body.

A spinning LiDAR meets a passing car's rear some hundredths of a second after its front, and what is right behind the
vehicle twice, at the start of the turn and at its end. The box holds all of it, as it moved while its points were
measured: it is then longer than the body by that motion.
"""

from __future__ import annotations

import math
from collections.abc import Container
from typing import NamedTuple

import numpy as np

from simulation.actors import Actor, Moment
from simulation.truth.sensors import LIDAR_TO_AHEAD, lidar_poses, moved

MARGIN_M = 0.05  # on each side: more than three times the noise of a range


class Box3d(NamedTuple):
    """A box, upright in a frame with x forward, y left, z up.

    ``size_m`` is (length, width, height); ``yaw`` (rad) turns x to the actor's front, about z.
    """

    centre_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    yaw: float


class Measured(NamedTuple):
    """An actor's boxes: upright ``in_lidar``'s frame, and ``in_camera`` 0's (its axes named as the LiDAR's).

    ``lidar_points``: how many points of the scan carry the actor's instance. ``dt_s``: when the middle one of them was
    measured, in seconds after the moment; 0 where there is none.
    """

    in_lidar: Box3d
    in_camera: Box3d
    lidar_points: int
    dt_s: float


def measure(
    moment: Moment,
    labels: np.ndarray,
    dt_s: np.ndarray,
    *,
    compensated: bool = True,
    seen: Container[int] = (),
) -> dict[int, Measured]:
    """The boxes of each actor that has a point or is in ``seen``, by ``track_id``, in the order of ``moment.actors``.

    ``labels`` uint32 [N] and ``dt_s`` [N] are the scan's. ``compensated``: whether its points are in the frame that the
    LiDAR has at the moment; otherwise each is in the frame of its own pulse, and so are the boxes.
    """
    times = _times(labels >> 16, dt_s)
    actors = [actor for actor in moment.actors if actor.track_id in times or actor.track_id in seen]
    if not actors:
        return {}
    measured = [times.get(actor.track_id, (0, np.zeros(3))) for actor in actors]
    places = lidar_poses(moment, np.array([dt[1] if not compensated else 0.0 for _, dt in measured]))
    to_lidar = np.linalg.inv(places)
    return {
        actor.track_id: Measured(_box(actor, frame, dt), _box(actor, LIDAR_TO_AHEAD @ frame, dt), points, float(dt[1]))
        for actor, frame, (points, dt) in zip(actors, to_lidar, measured, strict=True)
    }


def holds(box: Box3d, points: np.ndarray) -> np.ndarray:
    """Which of ``points`` [N,≥3] (the box's frame, metres) lie in the box: bool [N]."""
    local = (points[:, :3] - box.centre_m) @ _upright(box.yaw)
    return (np.abs(local) <= np.array(box.size_m) / 2).all(1)


def _times(instances: np.ndarray, dt_s: np.ndarray) -> dict[int, tuple[int, np.ndarray]]:
    """How many points each instance has, and when the first, the middle and the last of them were measured [3]."""
    order = np.lexsort((dt_s, instances))
    ids, first, counts = np.unique(instances[order], return_index=True, return_counts=True)
    chosen = np.asarray(dt_s, np.float64)[order][np.stack([first, first + counts // 2, first + counts - 1], 1)]
    return {int(i): (int(n), times) for i, n, times in zip(ids, counts, chosen, strict=True)}


def _box(actor: Actor, frame: np.ndarray, dt_s: np.ndarray) -> Box3d:
    """The box in the frame that ``frame`` [4,4] leads to from the street; ``dt_s`` [3]: begin, middle, end."""
    begin, middle, end = (frame @ actor.placed.pose_at(dt) for dt in dt_s.tolist())
    yaw = math.atan2(middle[1, 0], middle[0, 0])
    turn = _upright(yaw)
    vertices = np.concatenate([moved(pose, actor.placed.body.mesh.vertices) @ turn for pose in (begin, end)])
    low, high = vertices.min(0) - MARGIN_M, vertices.max(0) + MARGIN_M
    centre, size = tuple((turn @ (low + high) / 2).tolist()), tuple((high - low).tolist())
    return Box3d(centre, size, yaw)


def _upright(yaw: float) -> np.ndarray:
    """The turn about z, float64 [3,3]: box axes to those of its frame."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
