"""A sequence of KITTI odometry as SemanticKITTI has it (Behley et al., *SemanticKITTI*, ICCV 2019).

::

    velodyne/000000.bin …   labels/000000.label …   image_2/000000.png …   image_3/…
    calib.txt  times.txt  poses.txt

and beside them depth_2/, flow_2/, scene_flow/, scene_flow_2/, instances_2/, point_times/ where they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from simulation import rig
from simulation.recipe import Recipe

SUFFIXES = {
    "velodyne": "bin", "labels": "label", "image_2": "png", "image_3": "png", "instances_2": "png",
    "depth_2": "npz", "flow_2": "npz", "scene_flow": "npz", "scene_flow_2": "npz",
    "point_times": "npy",
}  # fmt: skip


def root(recipe: Recipe) -> PurePosixPath:
    """See :class:`simulation.layouts.Layout`."""
    return PurePosixPath()


def path(recipe: Recipe, product: str, frame: int) -> PurePosixPath:
    """See :class:`simulation.layouts.Layout`."""
    return PurePosixPath(product, f"{frame:06d}.{SUFFIXES[product]}")


def texts(recipe: Recipe, lidar_poses: list[np.ndarray]) -> dict[PurePosixPath, str]:
    """See :class:`simulation.layouts.Layout`."""
    return {
        PurePosixPath("calib.txt"): calib_text(recipe.settings.camera.optics),
        PurePosixPath("times.txt"): "".join(f"{recipe.time_s(k):e}\n" for k in range(recipe.frames)),
        PurePosixPath("poses.txt"): poses_text(lidar_poses),
    }


def calib_text(optics: rig.Optics) -> str:
    """``calib.txt``: P0..P3, camera 0 to the cameras' pixels, and Tr, LiDAR to camera 0."""
    rows = {**{f"P{i}": rig.projection(i, optics) for i in range(4)}, "Tr": rig.LIDAR_TO_CAMERA[:3]}
    return "".join(f"{name}: {numbers(m)}\n" for name, m in rows.items())


def poses_text(lidar_poses: list[np.ndarray]) -> str:
    """``poses.txt``: camera 0's poses, each relative to the first frame, 12 numbers a line."""
    tr = rig.LIDAR_TO_CAMERA
    first, back = np.linalg.inv(lidar_poses[0]), np.linalg.inv(tr)
    return "".join(numbers((tr @ first @ pose @ back)[:3]) + "\n" for pose in lidar_poses)


def numbers(values: np.ndarray | Sequence[float]) -> str:
    """Numbers as KITTI's text files have them."""
    return " ".join(f"{x:.12e}" for x in np.ravel(values))
