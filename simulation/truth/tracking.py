"""Actors as KITTI's tracking labels: whoever has a visible pixel in the left colour camera.

KITTI's levels come from measured shares. Occlusion: 0 up to 10 % hidden, 1 up to 50 %, 2 up to 90 %, 3 beyond (there a
person could not tell). Truncation: 0 up to 15 % outside the image, 1 up to 50 %, 2 beyond. The shares themselves are in
``objects.jsonl``. Nothing is DontCare: the truth is complete.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

import numpy as np

from formats.kitti_tracking import TrackedObject, format_line
from simulation.actors import Kind, Moment
from simulation.rig import LIDAR_TO_CAMERA
from simulation.truth.boxes import Box3d
from simulation.truth.sensors import moved
from simulation.truth.visibility import Seen

# KITTI has no class for the rest; objects.jsonl says which kind a Misc is.
TYPES: dict[Kind, str] = {
    "car": "Car",
    "van": "Van",
    "truck": "Truck",
    "bus": "Misc",
    "trailer": "Misc",
    "bicycle": "Misc",
    "motorcycle": "Misc",
    "pedestrian": "Pedestrian",
    "cyclist": "Cyclist",
    "motorcyclist": "Misc",
}
OCCLUSION_LEVELS = (0.1, 0.5, 0.9)
TRUNCATION_LEVELS = (0.15, 0.5)


def lines(frame: int, moment: Moment, seen: Mapping[int, Seen], boxes: Mapping[int, Box3d]) -> list[str]:
    """The lines of one frame in ``label_02/0000.txt``, without newlines, in the order of ``moment.actors``."""
    return [
        format_line(tracked(frame, actor.kind, actor.track_id, seen[actor.track_id], boxes[actor.track_id]))
        for actor in moment.actors
        if actor.track_id in seen
    ]


def tracked(frame: int, kind: Kind, track_id: int, seen: Seen, box: Box3d) -> TrackedObject:
    """One actor that the camera sees, in KITTI's terms."""
    length, width, height = box.size_m
    bottom = np.array(box.centre_m) - (0.0, 0.0, height / 2)
    x, y, z = moved(LIDAR_TO_CAMERA, bottom[None])[0].tolist()
    rotation_y = wrapped(-box.yaw - math.pi / 2)
    return TrackedObject(
        frame,
        track_id,
        TYPES[kind],
        bisect_left(TRUNCATION_LEVELS, seen.truncation),
        bisect_left(OCCLUSION_LEVELS, seen.occlusion),
        wrapped(rotation_y - math.atan2(x, z)),
        tuple(float(edge) for edge in seen.box_px),
        (height, width, length),
        (x, y, z),
        rotation_y,
    )


def wrapped(angle: float) -> float:
    """An angle in radians, brought to -π..π."""
    return math.remainder(angle, 2 * math.pi)
