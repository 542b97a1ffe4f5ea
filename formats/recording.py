"""Whatever the user points at: find out which layout it has, and list one sensor's frames.

A drive of KITTI raw, a sequence of KITTI odometry or SemanticKITTI, a plain folder of point clouds or images (with a
``timestamps.txt`` or ``times.txt`` among them, or without), or one such file.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

from errors import DataAbsentError, UserError
from formats import images, kitti_odometry, kitti_raw, pointcloud, video
from formats.frames import SensorFrames, assumed_stamps, list_files
from formats.stamps import read_times, read_timestamps, stamps_of

_LIDAR_LAYOUTS = (
    "velodyne_points/data/*.bin (KITTI raw drive), velodyne/*.bin (odometry or SemanticKITTI sequence), "
    "*.bin, *.pcd, *.ply"
)
_CAMERA_LAYOUTS = "image_02/data/*.png (KITTI raw drive), image_2/*.png (odometry sequence), *.png, *.jpg"
_LISTED = 8


def lidar_frames(path: Path, nominal_rate_hz: float) -> SensorFrames:
    """The LiDAR scans of a recording.

    Raises:
        DataAbsentError: it is a recording, but has no LiDAR.
        UserError: no such path, not a recording, or its time stamps are wrong.
    """
    _require(path, nominal_rate_hz)
    if path.is_dir() and kitti_raw.is_drive(path):
        return kitti_raw.lidar_frames(path, nominal_rate_hz)
    if path.is_dir() and kitti_odometry.is_sequence(path):
        return kitti_odometry.lidar_frames(path, nominal_rate_hz)
    others = images.SUFFIXES | video.SUFFIXES
    files = _plain_files(path, pointcloud.SUFFIXES, others, sensor="LiDAR", layouts=_LIDAR_LAYOUTS)
    return _plain_frames(files, nominal_rate_hz, "velodyne")


def camera_frames(path: Path, camera: int, nominal_rate_hz: float) -> SensorFrames:
    """The images of a recording, other than a video. ``camera`` is KITTI's number; a plain folder has but one camera.

    Raises:
        DataAbsentError: it is a recording, but has no such camera.
        UserError: no such path, not a recording, or its time stamps or calibration are wrong.
    """
    _require(path, nominal_rate_hz)
    if path.is_dir() and kitti_raw.is_drive(path):
        return kitti_raw.camera_frames(path, camera, nominal_rate_hz)
    if path.is_dir() and kitti_odometry.is_sequence(path):
        return kitti_odometry.camera_frames(path, camera, nominal_rate_hz)
    files = _plain_files(path, images.SUFFIXES, pointcloud.SUFFIXES, sensor="camera", layouts=_CAMERA_LAYOUTS)
    return _plain_frames(files, nominal_rate_hz, "camera")


def is_video(path: Path) -> bool:
    """Whether this is a file to be read as a video: any that is neither an image nor a point cloud.

    Raises:
        UserError: no such path.
    """
    _require_path(path)
    return path.is_file() and path.suffix.lower() not in images.SUFFIXES | pointcloud.SUFFIXES


def _require_path(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise UserError(f"no such file or folder: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _require(path: Path, nominal_rate_hz: float) -> None:
    _require_path(path)
    if not (math.isfinite(nominal_rate_hz) and nominal_rate_hz > 0):
        raise UserError(f"nominal_rate_hz is {nominal_rate_hz:g}; give a rate above 0")


def _plain_files(
    path: Path, wanted: Collection[str], others: Collection[str], *, sensor: str, layouts: str
) -> list[Path]:
    """The files of the wanted kind in a plain folder, or the one file; an error that helps where there are none."""
    if path.is_file():
        if path.suffix.lower() in wanted:
            return [path]
        if path.suffix.lower() in others:
            raise DataAbsentError(f"no {sensor} in {path}")
        raise UserError(f"{path}: not a recording this can read; give a folder, or a file {' '.join(sorted(wanted))}")
    if files := list_files(path, wanted):
        return files
    if recordings := _recordings_in(path):
        more = f" and {len(recordings) - _LISTED} more" if len(recordings) > _LISTED else ""
        raise UserError(f"{path} is not one recording; pick one: {', '.join(recordings[:_LISTED])}{more}")
    if sensor == "camera" and (videos := list_files(path, video.SUFFIXES)):
        raise UserError(f"{path} holds videos; pick one: {', '.join(file.name for file in videos[:_LISTED])}")
    if list_files(path, others):
        raise DataAbsentError(f"no {sensor} in {path}: looked for {layouts}")
    if not any(path.iterdir()):
        raise UserError(f"{path} is empty; give the folder of a recording")
    raise UserError(f"{path}: not a recording; looked for {layouts}")


def _recordings_in(path: Path) -> list[str]:
    """Drives and sequences one or two folders further down, relative to ``path``."""
    folders = sorted(folder for pattern in ("*", "*/*") for folder in path.glob(pattern) if folder.is_dir())
    found = [folder for folder in folders if kitti_raw.is_drive(folder) or kitti_odometry.is_sequence(folder)]
    return [str(folder.relative_to(path)) for folder in found]


def _plain_frames(files: list[Path], rate_hz: float, frame_id: str) -> SensorFrames:
    folder = files[0].parent
    for name, read in (("timestamps.txt", read_timestamps), ("times.txt", read_times)):
        lines = folder / name
        if lines.is_file():
            return SensorFrames(frame_id=frame_id, files=files, stamps_ns=stamps_of(files, read(lines), lines))
    stamps, assumption = assumed_stamps(files, rate_hz, by_number=False)
    notes = [f"no timestamps.txt or times.txt in {folder}: {assumption}"] if len(files) > 1 else []
    return SensorFrames(frame_id=frame_id, files=files, stamps_ns=stamps, notes=notes)
