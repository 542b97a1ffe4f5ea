"""KITTI odometry and SemanticKITTI: one sequence (Behley et al., *SemanticKITTI*, ICCV 2019).

::

    sequences/00/
        velodyne/000000.bin …  image_2/000000.png …  labels/000000.label …
        calib.txt  times.txt (one line per frame, for all sensors)
"""

from __future__ import annotations

from pathlib import Path

from errors import DataAbsentError
from formats import calibration, images
from formats.frames import SensorFrames, assumed_stamps, list_sensor_files
from formats.stamps import read_times, stamps_of

_LIDAR = "velodyne"
_CAMERAS = ("image_0", "image_1", "image_2", "image_3")


def is_sequence(path: Path) -> bool:
    """Whether this is the folder of one sequence."""
    return any((path / sensor).is_dir() for sensor in (_LIDAR, *_CAMERAS))


def lidar_frames(sequence: Path, nominal_rate_hz: float) -> SensorFrames:
    """The scans of a sequence.

    Raises:
        DataAbsentError: the sequence has none.
        UserError: times.txt is wrong.
    """
    files = list_sensor_files(sequence / _LIDAR, {".bin"}, "LiDAR")
    stamps, notes = _stamps(sequence, files, nominal_rate_hz)
    return SensorFrames(frame_id="velodyne", files=files, stamps_ns=stamps, notes=notes)


def camera_frames(sequence: Path, camera: int, nominal_rate_hz: float) -> SensorFrames:
    """The images of a sequence's camera 0..3, with its calibration where ``calib.txt`` has it.

    Raises:
        DataAbsentError: the sequence has no images of that camera.
        UserError: times.txt or calib.txt are wrong.
    """
    sensor = f"image_{camera}"
    if not (sequence / sensor).is_dir():
        present = ", ".join(name for name in _CAMERAS if (sequence / name).is_dir()) or "none"
        raise DataAbsentError(f"no camera {camera}: no folder {sensor} in {sequence} (cameras there: {present})")
    files = list_sensor_files(sequence / sensor, images.SUFFIXES, f"camera {camera}")
    stamps, notes = _stamps(sequence, files, nominal_rate_hz)
    calibrated = calibration.read_odometry(sequence / "calib.txt", camera)
    if calibrated is None:
        notes.append(f"no calib.txt with a line 'Tr:' in {sequence}: images cannot be joined with the LiDAR")
    return SensorFrames(frame_id=sensor, files=files, stamps_ns=stamps, notes=notes, calibration=calibrated)


def _stamps(sequence: Path, files: list[Path], rate_hz: float) -> tuple[list[int | None], list[str]]:
    times = sequence / "times.txt"
    if times.is_file():
        return stamps_of(files, read_times(times), times), []
    stamps, assumption = assumed_stamps(files, rate_hz, by_number=True)
    return stamps, [f"no times.txt in {sequence}: {assumption}"]
