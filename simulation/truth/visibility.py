"""What a camera sees of each actor: its pixels, its box, and how much of it others or the image's border hide.

Visible pixels are those whose own ray ends on the actor. What could be seen of it if it were alone, its silhouette, is
found by casting the same rays at its body only, beyond the image too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulation.actors import Actor, Moment
from simulation.rig import KITTI_OPTICS, Optics
from simulation.scene import Hits
from simulation.truth.sensors import camera_pose, image_directions, moved, pixel_directions, project

_SAMPLES = 4000  # rays for one silhouette; a larger one is sampled on a grid of every n-th pixel,
_COARSEST = 16  # but n is no more than this
_NEAR_M = 0.1


class Seen(NamedTuple):
    """One actor in one camera's image.

    ``box_px``: the first and last column and row of its visible pixels, (left, top, right, bottom), 0-based, all
    inclusive. ``occlusion``: share of its silhouette inside the image that something else hides. ``truncation``: share
    of its silhouette that lies outside the image, of what lies within three times the image's width and height.
    """

    pixels: int
    box_px: tuple[int, int, int, int]
    occlusion: float
    truncation: float


def measure(moment: Moment, hits: Hits, camera: int = 2, optics: Optics = KITTI_OPTICS) -> dict[int, Seen]:
    """Each actor with at least one visible pixel, by ``track_id``, in the order of ``moment.actors``.

    ``hits``: those of a :class:`~simulation.camera.render.Picture` of ``camera``, taken at the moment.
    """
    instances = instance_image(moment, hits, optics)
    extents = _extents(instances)
    pose = camera_pose(moment, camera)
    seen = {}
    for actor in moment.actors:
        if actor.track_id in extents:
            pixels, box = extents[actor.track_id]
            seen[actor.track_id] = Seen(pixels, box, *_hidden(actor, instances, pose, optics))
    return seen


def instance_image(moment: Moment, hits: Hits, optics: Optics = KITTI_OPTICS) -> np.ndarray:
    """``track_id`` of what each pixel shows: uint16 [H,W], 0 where it is no actor."""
    return _image_of(moment, hits, "instance", optics)


def label_image(moment: Moment, hits: Hits, optics: Optics = KITTI_OPTICS) -> np.ndarray:
    """SemanticKITTI's raw label of what each pixel shows: uint16 [H,W], 0 for the sky."""
    return _image_of(moment, hits, "label", optics)


def depth_image(hits: Hits, optics: Optics = KITTI_OPTICS) -> np.ndarray:
    """Depth along the optical axis: float32 [H,W] metres, 0 where there is nothing, as in KITTI's depth maps."""
    forward = 1.0 / np.linalg.norm(image_directions(optics), axis=1)
    depth = np.where(hits.triangle >= 0, hits.range_m, 0.0) * forward
    return depth.astype(np.float32).reshape(optics.height, optics.width)


def _image_of(moment: Moment, hits: Hits, attribute: str, optics: Optics) -> np.ndarray:
    values = moment.scene.attribute(attribute)
    shown = np.where(hits.triangle >= 0, values[hits.triangle], 0)
    return shown.astype(np.uint16).reshape(optics.height, optics.width)


def _extents(instances: np.ndarray) -> dict[int, tuple[int, tuple[int, int, int, int]]]:
    """Number of pixels and box of each instance in ``instances`` uint16 [H,W], without 0."""
    v, u = np.nonzero(instances)
    ids, which, counts = np.unique(instances[v, u], return_inverse=True, return_counts=True)
    first, last = np.full((2, len(ids)), max(instances.shape)), np.full((2, len(ids)), -1)
    for axis, place in enumerate((u, v)):
        np.minimum.at(first[axis], which, place)
        np.maximum.at(last[axis], which, place)
    boxes = np.concatenate([first, last]).T.tolist()
    return {int(i): (int(n), tuple(box)) for i, n, box in zip(ids, counts, boxes, strict=True)}


def _hidden(actor: Actor, instances: np.ndarray, camera: np.ndarray, optics: Optics) -> tuple[float, float]:
    """Occlusion and truncation of an actor, from its silhouette in the camera at pose ``camera`` [4,4]."""
    u, v = silhouette(actor, camera, optics)
    inside = (u >= 0) & (u < optics.width) & (v >= 0) & (v < optics.height)
    alone = int(np.count_nonzero(inside))
    visible = int(np.count_nonzero(instances[v[inside], u[inside]] == actor.track_id))
    # Of what covers hardly a pixel, either cast may find nothing.
    return (1.0 - visible / alone if alone else 0.0), (1.0 - alone / len(u) if len(u) else 0.0)


def silhouette(
    actor: Actor, camera: np.ndarray, optics: Optics = KITTI_OPTICS, samples: int = _SAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels u, v int64 [N] that ``actor`` would cover if it were alone, inside the image and as far again around it.

    ``camera`` [4,4] is the camera's pose in the street. All pixels where the rectangle around them has no more than
    ``samples``, otherwise those of every n-th column and row.
    """
    to_body = np.linalg.inv(actor.placed.pose) @ camera
    body = actor.placed.body
    left, top, right, bottom = _rectangle(moved(np.linalg.inv(to_body), body.mesh.vertices), optics)
    area = max(right - left + 1, 0) * max(bottom - top + 1, 0)
    step = min(max(math.ceil(math.sqrt(area / samples)), 1), _COARSEST)
    v, u = (grid.ravel() for grid in np.mgrid[top : bottom + 1 : step, left : right + 1 : step])
    directions = pixel_directions(u, v, optics) @ to_body[:3, :3].T
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rays = np.hstack([np.broadcast_to(to_body[:3, 3], directions.shape), directions]).astype(np.float32)
    hit = body.solid.cast(rays)[1] >= 0
    return u[hit], v[hit]


def _rectangle(vertices: np.ndarray, optics: Optics) -> tuple[int, int, int, int]:
    """Columns and rows around ``vertices`` [V,3] (camera axes), within the plane on which silhouettes are counted, the
    image and as much again on each side of it: left, top, right, bottom."""
    width, height = optics.width, optics.height
    plane = (-width, -height, 2 * width - 1, 2 * height - 1)
    pixels, depth = project(vertices, optics)
    if depth.min() < _NEAR_M:  # it reaches behind the camera: anywhere on the plane
        return plane
    (left, top), (right, bottom) = np.floor(pixels.min(0)), np.ceil(pixels.max(0))
    return (
        max(int(left), plane[0]),
        max(int(top), plane[1]),
        min(int(right), plane[2]),
        min(int(bottom), plane[3]),
    )
