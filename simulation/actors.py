"""What a moment of the street consists of, as sensors and ground truth see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from simulation.rig import LIDAR_TO_VEHICLE
from simulation.scene import Placed, Scene

Kind = Literal[
    "car", "van", "truck", "bus", "trailer", "bicycle", "motorcycle", "pedestrian", "cyclist", "motorcyclist"
]
# SemanticKITTI's raw label of each kind: standing still, and moving.
LABELS: dict[Kind, tuple[int, int]] = {
    "car": (10, 252),
    "van": (10, 252),
    "truck": (18, 258),
    "bus": (13, 257),
    "trailer": (20, 259),
    "bicycle": (11, 11),
    "motorcycle": (15, 15),
    "pedestrian": (30, 254),
    "cyclist": (31, 253),
    "motorcyclist": (32, 255),
}


@dataclass(frozen=True, eq=False)
class Actor:
    """One countable thing at one moment: a road user, or a vehicle, cycle or person that stands.

    ``track_id`` (1..65535) stays the same from frame to frame; it is the instance in ``.label`` files and on the body's
    triangles, and the track in tracking labels. ``standing`` things are part of ``Scene.standing`` as well; the rest
    are in ``Scene.placed``.
    """

    track_id: int
    kind: Kind
    placed: Placed
    moving: bool  # which of SemanticKITTI's two labels its body carries
    standing: bool


class Action(NamedTuple):
    """Something that an actor does on purpose: ``label`` from ``traffic.ACTIONS``; ``end_s`` None while it lasts."""

    label: str
    track_id: int
    start_s: float
    end_s: float | None


@dataclass(frozen=True, eq=False)
class Moment:
    """The street around the ego vehicle at ``t_s``.

    ``ego(dt_s)``: poses float64 [N,4,4], vehicle's ground point to street, for times dt_s [N] within ±0.1 s of the
    moment.
    """

    t_s: float
    scene: Scene
    actors: tuple[Actor, ...]
    ego: Callable[[np.ndarray], np.ndarray]

    def lidar_pose(self) -> np.ndarray:
        """LiDAR to street at the moment itself, float64 [4,4]."""
        return self.lidar_poses(np.zeros(1))[0]

    def lidar_poses(self, dt_s: np.ndarray) -> np.ndarray:
        """LiDAR to street at each of ``dt_s`` [N] seconds after the moment, float64 [N,4,4]."""
        return self.ego(dt_s) @ LIDAR_TO_VEHICLE
