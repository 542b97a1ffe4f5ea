"""Actors as KITTI's tracking labels: whoever has a visible pixel in a colour camera (``label_02``: the left one).

KITTI's levels come from measured shares. Occlusion: 0 up to 10 % hidden, 1 up to 50 %, 2 up to 90 %, 3 beyond (there a
person could not tell). Truncation: 0 up to 15 % outside the image, 1 up to 50 %, 2 beyond. The shares themselves are in
``objects.jsonl``. Nothing is DontCare: the truth is complete.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

from formats.kitti_tracking import TrackedObject, format_line
from simulation.actors import Kind, Moment
from simulation.truth.boxes import Box3d, Measured
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


def lines(frame: int, moment: Moment, seen: Mapping[int, Seen], boxes: Mapping[int, Measured]) -> list[str]:
    """The lines of one frame in ``label_0N/0000.txt``, without newlines, in the order of ``moment.actors``.

    ``seen``: by camera N. Places and headings are those of camera 0, whichever camera it is.
    """
    return [
        format_line(tracked(frame, actor.kind, actor.track_id, seen[actor.track_id], boxes[actor.track_id].in_camera))
        for actor in moment.actors
        if actor.track_id in seen
    ]


def tracked(frame: int, kind: Kind, track_id: int, seen: Seen, box: Box3d) -> TrackedObject:
    """One actor that the camera sees, in KITTI's terms. ``box``: the one upright in camera 0's frame."""
    length, width, height = box.size_m
    ahead, left, up = box.centre_m
    x, y, z = -left, height / 2 - up, ahead
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
