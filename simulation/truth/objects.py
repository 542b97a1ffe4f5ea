"""``objects.jsonl``: one line of JSON per frame with every actor that the LiDAR or a colour camera sees.

KITTI's tracking labels know only what the camera sees, and few classes; this file is for users of the LiDAR and for
those who need the measured shares. A line is ``{"frame", "t_s", "objects": [...]}``; each object has

- ``track_id``, ``kind`` (:data:`simulation.actors.Kind`), ``moving``, ``speed_mps``, ``velocity_mps`` (LiDAR frame,
  over ground);
- ``box``: ``centre_m``, ``size_m`` (length, width, height), ``yaw`` in the LiDAR frame, ``lidar_points`` inside the
  scan, and ``dt_s``, when after the frame's stamp the box is true (:mod:`simulation.truth.boxes`);
- ``image_2``, ``image_3``, for each camera of the drive: null where the camera does not see it, else ``pixels``,
  ``box_px``, ``occlusion``, ``truncation`` (:mod:`simulation.truth.visibility`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from simulation.actors import Actor, Moment
from simulation.truth.boxes import Measured
from simulation.truth.visibility import Seen


class Sighting(NamedTuple):
    """An actor in one frame of a colour camera: the left one, where the drive has it."""

    frame: int
    track_id: int
    pixels: int


def line(frame: int, moment: Moment, seen: Mapping[int, Mapping[int, Seen]], boxes: Mapping[int, Measured]) -> str:
    """One frame's line, without the newline: whoever has ``boxes``. ``seen``: by camera, then by ``track_id``."""
    turn = moment.lidar_pose()[:3, :3]
    listed = [
        _entry(actor, turn, boxes[actor.track_id])
        | {f"image_{n}": _view(by.get(actor.track_id)) for n, by in seen.items()}
        for actor in moment.actors
        if actor.track_id in boxes
    ]
    return json.dumps({"frame": frame, "t_s": round(moment.t_s, 6), "objects": listed}, separators=(",", ":"))


def sightings(lines: Iterable[str]) -> Iterator[Sighting]:
    """Who is in the image when, from the lines of an ``objects.jsonl``."""
    for text in lines:
        frame = json.loads(text)
        for thing in frame["objects"]:
            view = thing.get("image_2", thing.get("image_3"))
            if view is not None:
                yield Sighting(frame["frame"], thing["track_id"], view["pixels"])


def _entry(actor: Actor, turn: np.ndarray, measured: Measured) -> dict[str, Any]:
    box = measured.in_lidar
    velocity = actor.placed.velocity_mps @ turn
    return {
        "track_id": actor.track_id,
        "kind": actor.kind,
        "moving": actor.moving,
        "speed_mps": round(float(np.linalg.norm(velocity)), 4),
        "velocity_mps": _rounded(velocity),
        "box": {
            "centre_m": _rounded(box.centre_m),
            "size_m": _rounded(box.size_m),
            "yaw": round(box.yaw, 5),
            "lidar_points": measured.lidar_points,
            "dt_s": round(measured.dt_s, 5),
        },
    }


def _view(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "pixels": seen.pixels,
        "box_px": list(seen.box_px),
        "occlusion": round(seen.occlusion, 4),
        "truncation": round(seen.truncation, 4),
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values]
