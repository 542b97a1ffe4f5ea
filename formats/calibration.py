"""Calibration files of KITTI: the matrix that takes a LiDAR point to a pixel.

A point x = (x y z 1) of the LiDAR lands at P_rect · R_rect · T_velo→cam · x in homogeneous pixels of the rectified
image (Geiger et al., *Vision meets Robotics: The KITTI Dataset*, IJRR 2013, Eq. 8). The third component is the depth in
metres along the optical axis.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from errors import UserError


class CameraCalibration(msgspec.Struct, frozen=True):
    """``lidar_to_image``: ``[3, 4]`` float64. ``image_size``: (width, height) it holds for, where the file says so."""

    lidar_to_image: np.ndarray
    image_size: tuple[int, int] | None = None


def read_raw(date_folder: Path, camera: int) -> CameraCalibration | None:
    """Calibration of KITTI raw: ``calib_velo_to_cam.txt`` and ``calib_cam_to_cam.txt`` in the folder of the day.

    None where one of the two files is not there.

    Raises:
        UserError: a file is damaged or lacks an entry.
    """
    velo_to_cam, cam_to_cam = date_folder / "calib_velo_to_cam.txt", date_folder / "calib_cam_to_cam.txt"
    if not (velo_to_cam.is_file() and cam_to_cam.is_file()):
        return None
    pose, cameras = _read_entries(velo_to_cam), _read_entries(cam_to_cam)
    rotation, translation = _entry(pose, "R", (3, 3), velo_to_cam), _entry(pose, "T", (3, 1), velo_to_cam)
    # R_rect_00, whichever the camera: all four are rectified into the frame of camera 0, P_rect holds the baseline.
    rectification = _entry(cameras, "R_rect_00", (3, 3), cam_to_cam)
    projection = _entry(cameras, f"P_rect_{camera:02d}", (3, 4), cam_to_cam)
    width, height = _entry(cameras, f"S_rect_{camera:02d}", (2,), cam_to_cam)
    velo_to_rectified = rectification @ np.hstack([rotation, translation])
    return CameraCalibration(projection @ _homogeneous(velo_to_rectified), (round(width), round(height)))


def read_odometry(path: Path, camera: int) -> CameraCalibration | None:
    """Calibration of KITTI odometry and SemanticKITTI: ``calib.txt`` with ``P0`` … ``P3`` and ``Tr``.

    None where the file is not there, or has no ``Tr`` (the image-only downloads do not).

    Raises:
        UserError: the file is damaged or lacks the camera.
    """
    if not path.is_file():
        return None
    entries = _read_entries(path)
    if "Tr" not in entries:
        return None
    projection, velo_to_rectified = _entry(entries, f"P{camera}", (3, 4), path), _entry(entries, "Tr", (3, 4), path)
    return CameraCalibration(projection @ _homogeneous(velo_to_rectified))


def _homogeneous(transform: np.ndarray) -> np.ndarray:
    return np.vstack([transform, [0.0, 0.0, 0.0, 1.0]])


def _read_entries(path: Path) -> dict[str, list[str]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a calibration file: {error}") from error
    return {key.strip(): values.split() for key, colon, values in (line.partition(":") for line in lines) if colon}


def _entry(entries: dict[str, list[str]], key: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    if key not in entries:
        raise UserError(f"{path}: no line '{key}:'; is it the calibration file of this recording?")
    try:
        values = np.array([float(value) for value in entries[key]])
    except ValueError as error:
        raise UserError(f"{path}, line '{key}:': {error}; the file is damaged") from error
    if values.size != np.prod(shape) or not np.isfinite(values).all():
        raise UserError(
            f"{path}, line '{key}:': expected {np.prod(shape)} finite numbers, found {' '.join(entries[key])}"
        )
    return values.reshape(shape)
