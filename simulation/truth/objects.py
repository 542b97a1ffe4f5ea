"""``objects.jsonl``: one line of JSON per frame with every actor that the LiDAR or the left colour camera sees.

KITTI's tracking labels know only what the camera sees, and few classes; this file is for users of the LiDAR and for
those who need the measured shares. A line is ``{"frame", "t_s", "objects": [...]}``; each object has

- ``track_id``, ``kind`` (:data:`simulation.actors.Kind`), ``moving``, ``speed_mps``, ``velocity_mps`` (LiDAR frame,
  over ground);
- ``box``: ``centre_m``, ``size_m`` (length, width, height), ``yaw`` in the LiDAR frame, ``lidar_points`` inside the
  scan, and ``dt_s``, when after the frame's stamp the box is true (:mod:`simulation.truth.boxes`);
- ``image_2``: null where the camera does not see it, else ``pixels``, ``box_px``, ``occlusion``, ``truncation``
  (:mod:`simulation.truth.visibility`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from simulation.actors import Actor, Moment
from simulation.truth.boxes import Box3d
from simulation.truth.sensors import lidar_pose
from simulation.truth.visibility import Seen


class Sighting(NamedTuple):
    """An actor in one frame of the left colour camera."""

    frame: int
    track_id: int
    pixels: int


def line(frame: int, moment: Moment, seen: Mapping[int, Seen], boxes: Mapping[int, Box3d]) -> str:
    """One frame's line, without the newline."""
    turn = lidar_pose(moment)[:3, :3]
    listed = [
        _entry(actor, turn, seen.get(actor.track_id), boxes[actor.track_id])
        for actor in moment.actors
        if actor.track_id in seen or boxes[actor.track_id].lidar_points
    ]
    return json.dumps({"frame": frame, "t_s": round(moment.t_s, 6), "objects": listed}, separators=(",", ":"))


def sightings(lines: Iterable[str]) -> Iterator[Sighting]:
    """Who is in the left colour camera's image when, from the lines of an ``objects.jsonl``."""
    for text in lines:
        frame = json.loads(text)
        for thing in frame["objects"]:
            if thing["image_2"] is not None:
                yield Sighting(frame["frame"], thing["track_id"], thing["image_2"]["pixels"])


def _entry(actor: Actor, turn: np.ndarray, seen: Seen | None, box: Box3d) -> dict[str, Any]:
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
            "lidar_points": box.lidar_points,
            "dt_s": round(box.dt_s, 5),
        },
        "image_2": None
        if seen is None
        else {
            "pixels": seen.pixels,
            "box_px": list(seen.box_px),
            "occlusion": round(seen.occlusion, 4),
            "truncation": round(seen.truncation, 4),
        },
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values]
