"""What the preview shows of each frame, read back from the files of a drive with the readers that users have."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from formats import kitti_tracking, recording
from formats.images import read_image
from formats.kitti_tracking import TrackedObject
from formats.labels import LabelTable, load_label_table, read_labels
from formats.pointcloud import read_bin
from simulation.folder import DriveFolder
from simulation.lidar.profile import FittingProjection, load_profile
from simulation.recipe import LEFT
from simulation.rig import LIDAR_TO_CAMERA


@dataclass(frozen=True, eq=False)
class FrameFiles:
    """One frame of a drive, as its files have it.

    ``points`` float32 [N,4], ``labels`` uint16 [N] raw; ``image`` BGR with ``lidar_to_image`` [3,4], or None;
    ``objects``: of ``objects.jsonl``; ``tracked``: the image's ``label_02`` or ``label_03``; ``actions``: the
    annotations that last now, of all in the drive; ``path`` float64 [F,3]: where the LiDAR is in every frame, in this
    frame's LiDAR coordinates.
    """

    number: int
    t_s: float
    period_s: float
    title: str
    points: np.ndarray
    labels: np.ndarray
    image: np.ndarray | None
    lidar_to_image: np.ndarray | None
    objects: list[dict[str, Any]]
    tracked: list[TrackedObject]
    actions: list[dict[str, Any]]
    path: np.ndarray
    table: LabelTable
    projection: FittingProjection


class DriveFiles:
    """The finished drive in a folder."""

    def __init__(self, folder: DriveFolder) -> None:
        self._folder, recipe = folder, folder.recipe
        rate_hz = 1 / recipe.period_s
        self._scans = recording.lidar_frames(folder.root, rate_hz).files
        self._camera = LEFT if LEFT in recipe.cameras else next(iter(recipe.cameras), None)
        self._images = None if self._camera is None else recording.camera_frames(folder.root, self._camera, rate_hz)
        self._objects = [json.loads(line) for line in (folder.root / "objects.jsonl").read_text().splitlines()]
        self._tracked: dict[int, list[TrackedObject]] = defaultdict(list)
        if self._camera is not None:
            for tracked in kitti_tracking.read(folder.root / f"label_0{self._camera}" / "0000.txt"):
                self._tracked[tracked.frame].append(tracked)
        [drive] = json.loads((folder.root / "actions.json").read_text())["database"].values()
        self._actions = drive["annotations"]
        self._poses = _lidar_poses(np.loadtxt(folder.root / "poses.txt", ndmin=2))
        self._table, self._projection = load_label_table(), load_profile(recipe.settings.sensor).projection
        settings = recipe.settings
        self._title = f"seed {recipe.seed}  {settings.sensor}  weather {settings.weather}  light {settings.light}"

    def frame(self, number: int) -> FrameFiles:
        """Read one frame."""
        points = read_bin(self._scans[number])
        labels, _ = read_labels(self._folder.out / self._folder.layout.path(self._folder.recipe, "labels", number))
        t_s = self._folder.recipe.time_s(number)
        here = np.linalg.inv(self._poses[number])
        return FrameFiles(
            number=number,
            t_s=t_s,
            period_s=self._folder.recipe.period_s,
            title=self._title,
            points=points,
            labels=labels,
            image=None if self._images is None else read_image(self._images.files[number]),
            lidar_to_image=None if self._images is None else self._images.calibration.lidar_to_image,
            objects=self._objects[number]["objects"],
            tracked=self._tracked[number],
            actions=[a for a in self._actions if a["segment"][0] <= t_s < a["segment"][1]],
            path=(here @ self._poses)[:, :3, 3],
            table=self._table,
            projection=self._projection,
        )


def _lidar_poses(camera_poses: np.ndarray) -> np.ndarray:
    """LiDAR poses float64 [F,4,4] from the lines of ``poses.txt`` [F,12], which are camera 0's."""
    poses = np.tile(np.eye(4), (len(camera_poses), 1, 1))
    poses[:, :3] = camera_poses.reshape(-1, 3, 4)
    return np.linalg.inv(LIDAR_TO_CAMERA) @ poses @ LIDAR_TO_CAMERA
