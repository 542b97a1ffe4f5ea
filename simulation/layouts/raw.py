"""A drive of KITTI raw (Geiger et al., *Vision meets Robotics: The KITTI Dataset*, IJRR 2013).

::

    2011_09_26/
        calib_cam_to_cam.txt  calib_velo_to_cam.txt  calib_imu_to_velo.txt
        2011_09_26_drive_0007_sync/
            velodyne_points/  data/0000000000.bin …  timestamps.txt  timestamps_start.txt  timestamps_end.txt
            image_02/  image_03/  data/0000000000.png …  timestamps.txt
            oxts/      data/0000000000.txt …  timestamps.txt  dataformat.txt

KITTI raw has no labels; they lie beside, in labels/, depth_02/ and so on, with ``poses.txt`` as in the other layout.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import PurePosixPath

import numpy as np

from simulation import rig
from simulation.layouts import odometry, oxts
from simulation.layouts.odometry import numbers
from simulation.recipe import Recipe

DATE = "2011_09_26"  # the day of KITTI's rig that the simulated one follows; tools look for such a name
_START = datetime(2011, 9, 26, 12)
_HALF_TURN_S = 0.05
_MADE = "calib_time: 26-Sep-2011 12:00:00\n"
_SENSORS = {"velodyne": "velodyne_points", "image_2": "image_02", "image_3": "image_03", "oxts": "oxts"}


def root(recipe: Recipe) -> PurePosixPath:
    """See :class:`simulation.layouts.Layout`. The drive is numbered after the seed."""
    return PurePosixPath(DATE, f"{DATE}_drive_{recipe.seed % 10_000:04d}_sync")


def path(recipe: Recipe, product: str, frame: int) -> PurePosixPath:
    """See :class:`simulation.layouts.Layout`."""
    name = f"{frame:010d}.{'txt' if product == 'oxts' else odometry.SUFFIXES[product]}"
    if product in _SENSORS:
        return root(recipe) / _SENSORS[product] / "data" / name
    return root(recipe) / product.replace("_2", "_02") / name


def texts(recipe: Recipe, lidar_poses: list[np.ndarray]) -> dict[PurePosixPath, str]:
    """See :class:`simulation.layouts.Layout`."""
    drive, day = root(recipe), PurePosixPath(DATE)
    files = {
        day / "calib_cam_to_cam.txt": _cameras_text(recipe.settings.camera.optics),
        day / "calib_velo_to_cam.txt": _MADE + _rigid_text(rig.LIDAR_TO_CAMERA),
        day / "calib_imu_to_velo.txt": _MADE + _rigid_text(rig.IMU_TO_LIDAR),
        drive / "poses.txt": odometry.poses_text(lidar_poses),
        drive / "oxts" / "dataformat.txt": oxts.DATA_FORMAT,
        drive / "velodyne_points" / "timestamps_start.txt": _stamps_text(recipe, -_HALF_TURN_S),
        drive / "velodyne_points" / "timestamps_end.txt": _stamps_text(recipe, _HALF_TURN_S),
    }
    for product in recipe.products():
        if product in _SENSORS:
            files[drive / _SENSORS[product] / "timestamps.txt"] = _stamps_text(recipe, 0.0)
    return files


def _cameras_text(optics: rig.Optics) -> str:
    """All four cameras, rectified already: no distortion, no rotation, distances along camera 0's x axis."""
    intrinsics = rig.projection(0, optics)[:, :3]
    size = (optics.width, optics.height)
    lines = [_MADE, f"corner_dist: {numbers([0.0995])}\n"]
    for camera, x_m in enumerate(rig.CAMERA_X_M):
        entries = {
            "S": size, "K": intrinsics, "D": np.zeros(5), "R": np.eye(3), "T": (-x_m, 0.0, 0.0),
            "S_rect": size, "R_rect": np.eye(3), "P_rect": rig.projection(camera, optics),
        }  # fmt: skip
        lines += [f"{name}_{camera:02d}: {numbers(values)}\n" for name, values in entries.items()]
    return "".join(lines)


def _rigid_text(transform: np.ndarray) -> str:
    return f"R: {numbers(transform[:3, :3])}\nT: {numbers(transform[:3, 3])}\n"


def _stamps_text(recipe: Recipe, offset_s: float) -> str:
    """A date and time with nine decimals a line. Microseconds are exact here: moments are 0.1 s apart."""
    stamps = (_START + timedelta(seconds=recipe.time_s(k) + offset_s) for k in range(recipe.frames))
    return "".join(f"{stamp:%Y-%m-%d %H:%M:%S.%f}000\n" for stamp in stamps)
