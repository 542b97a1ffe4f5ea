"""KITTI raw: one drive (Geiger et al., *Vision meets Robotics: The KITTI Dataset*, IJRR 2013).

::

    2011_09_26/
        calib_cam_to_cam.txt  calib_velo_to_cam.txt
        2011_09_26_drive_0001_sync/
            velodyne_points/  data/0000000000.bin …  timestamps.txt
            image_02/         data/0000000000.png …  timestamps.txt

In a ``_sync`` drive frame n of every sensor belongs together.
"""

from __future__ import annotations

from pathlib import Path

from errors import DataAbsentError
from formats import calibration, images
from formats.frames import SensorFrames, assumed_stamps, list_sensor_files
from formats.stamps import read_timestamps, stamps_of

_LIDAR = "velodyne_points"
_CAMERAS = ("image_02", "image_03", "image_00", "image_01")


def is_drive(path: Path) -> bool:
    """Whether this is the folder of one drive."""
    return any((path / sensor).is_dir() for sensor in (_LIDAR, *_CAMERAS))


def lidar_frames(drive: Path, nominal_rate_hz: float) -> SensorFrames:
    """The scans of a drive.

    Raises:
        DataAbsentError: the drive has none.
        UserError: its time stamps are wrong.
    """
    files = list_sensor_files(drive / _LIDAR / "data", {".bin"}, "LiDAR")
    stamps, notes = _stamps(drive, _LIDAR, files, nominal_rate_hz)
    return SensorFrames(frame_id="velodyne", files=files, stamps_ns=stamps, notes=notes)


def camera_frames(drive: Path, camera: int, nominal_rate_hz: float) -> SensorFrames:
    """The images of a drive's camera 0..3, with its calibration where the folder of the day has it.

    Raises:
        DataAbsentError: the drive has no images of that camera.
        UserError: its time stamps or the calibration are wrong.
    """
    sensor = f"image_{camera:02d}"
    if not (drive / sensor).is_dir():
        present = ", ".join(name for name in sorted(_CAMERAS) if (drive / name).is_dir()) or "none"
        raise DataAbsentError(f"no camera {camera}: no folder {sensor} in {drive} (cameras there: {present})")
    files = list_sensor_files(drive / sensor / "data", images.SUFFIXES, f"camera {camera}")
    stamps, notes = _stamps(drive, sensor, files, nominal_rate_hz)
    day = drive.resolve().parent
    calibrated = calibration.read_raw(day, camera)
    if calibrated is None:
        notes.append(
            f"no calib_velo_to_cam.txt and calib_cam_to_cam.txt in {day}: images cannot be joined with the LiDAR"
        )
    return SensorFrames(frame_id=sensor, files=files, stamps_ns=stamps, notes=notes, calibration=calibrated)


def _stamps(drive: Path, sensor: str, files: list[Path], rate_hz: float) -> tuple[list[int | None], list[str]]:
    own = drive / sensor / "timestamps.txt"
    if own.is_file():
        return stamps_of(files, read_timestamps(own), own), []
    # Stamps from 0 on would never meet the other sensor's, which count from 1970.
    for other in (_LIDAR, *_CAMERAS):
        theirs = drive / other / "timestamps.txt"
        if theirs.is_file():
            note = f"no timestamps.txt in {own.parent}: the stamps of {other} are assumed, frame by frame"
            return stamps_of(files, read_timestamps(theirs), theirs), [note]
    stamps, assumption = assumed_stamps(files, rate_hz, by_number=True)
    return stamps, [f"no timestamps.txt in {own.parent}: {assumption}"]
