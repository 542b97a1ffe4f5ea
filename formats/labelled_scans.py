"""LiDAR recordings with a class for each point: SemanticKITTI (Behley et al., ICCV 2019), and drives laid out like it.

::

    sequences/08/                    velodyne/000000.bin …                   labels/000000.label …
    2011_09_26_drive_0001_sync/      velodyne_points/data/0000000000.bin …   labels/0000000000.label …

Scans and labels must pair up: one that is left over is a broken copy, and nothing is left out without a word.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errors import UserError
from formats import DamagedFileError, kitti_odometry, kitti_raw, pointcloud
from formats.frames import list_files
from formats.labels import LabelTable, read_labels

_DEPTH = 2
"""How far below a folder recordings are looked for: a raw drive is in the folder of its day."""


class Recording(NamedTuple):
    """A sequence or drive. ``name``: its path in the folder where it was found, such as ``08``."""

    name: str
    folder: Path

    @property
    def has_labels(self) -> bool:
        return (self.folder / "labels").is_dir()


class ScanFiles(NamedTuple):
    """One scan: the recording it is of, its name in it (000042), and where its points and labels are."""

    sequence: str
    name: str
    points: Path
    labels: Path


class LabelledScan(NamedTuple):
    """``points`` [N, 4] float32 x y z remission (metres, 0..1), ``labels`` [N] uint8 training classes."""

    points: np.ndarray
    labels: np.ndarray


def find_recordings(folder: Path, need_labels: bool = True) -> list[Recording]:
    """The recordings of a folder, by name, those without labels among them.

    ``folder``: has ``sequences/NN``; or is one recording; or has such one or two folders down.

    Raises:
        UserError: there is none, or none has labels and they are needed.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a SemanticKITTI root, a sequence, or a folder of drives")
    if _is_recording(folder):
        name = Path(os.path.abspath(folder)).name  # noqa: PTH100 - resolve() would name what a link leads to
        itself = Recording(name, folder)
        if need_labels and not itself.has_labels:
            raise UserError(f"{folder / 'labels'}: no such folder; a recording has a label for each point there")
        return [itself]
    inside = folder / "sequences" if (folder / "sequences").is_dir() else folder
    found = [Recording(path.relative_to(inside).as_posix(), path) for path in _recordings_below(inside, _DEPTH)]
    if not found:
        raise UserError(
            f"{folder}: no velodyne/ with labels/ beside it, there or up to {_DEPTH} folders down; "
            "give a SemanticKITTI root, a sequence, or a folder of drives"
        )
    if need_labels and not any(recording.has_labels for recording in found):
        raise UserError(f"{folder}: none of its {len(found)} recordings has labels/, a label for each point")
    return found


def scans_of(recording: Recording) -> list[ScanFiles]:
    """The scans of a recording in order, each with its labels.

    Raises:
        UserError: no scans, no labels, a scan without labels or labels without scan.
    """
    name, folder = recording
    points = points_of(recording)
    labels = _by_name(folder / "labels", ".label", "every scan must have its labels")
    require_one_per_scan(points, labels, folder / "labels", ".label")
    return [ScanFiles(name, scan, path, labels[scan]) for scan, path in points.items()]


def points_of(recording: Recording) -> dict[str, Path]:
    """The scans of a recording by name (000042), in order, whether they have labels or not.

    Raises:
        UserError: there are none.
    """
    raw = recording.folder / "velodyne_points" / "data"
    return _by_name(raw if raw.is_dir() else recording.folder / "velodyne", ".bin", "a recording has its scans there")


def read_scan(files: ScanFiles, table: LabelTable) -> LabelledScan:
    """Read a scan, its remission brought to 0..1 as the LiDAR source does, and its classes.

    Raises:
        UserError: a file is damaged, they do not fit each other, a label is not in the table; with the path.
    """
    points = read_points(files.points)
    return LabelledScan(points, read_classes(files.labels, table, len(points)))


def read_points(path: Path) -> np.ndarray:
    """The points of a scan, [N, 4] float32, their remission brought to 0..1 as the LiDAR source does.

    Raises:
        UserError: the file is damaged.
    """
    points = pointcloud.read_bin(path)
    try:
        scale = pointcloud.remission_scale(points[:, 3])
    except ValueError as error:
        raise DamagedFileError(f"{path}: {error}") from error
    return points if scale == 1.0 else points * np.array([1, 1, 1, scale], np.float32)


def read_classes(path: Path, table: LabelTable, point_count: int | None = None) -> np.ndarray:
    """The training class of each point, [N] uint8, of a ``.label`` file of raw ids.

    ``point_count``: the number of points of the scan, where it is known.

    Raises:
        UserError: unreadable, damaged, not one label per point, or an id that the table does not have; with the path.
    """
    raw_ids, _ = read_labels(path, point_count)
    try:
        return table.to_train(raw_ids)
    except UserError as error:
        raise UserError(f"{path}: {error} (.label files hold raw ids, 40 for road, not classes 0..19)") from error


def require_one_per_scan(scans: Collection[str], files: Mapping[str, Path], folder: Path, suffix: str) -> None:
    """Whether there is one file for each scan, by name, and none besides.

    Raises:
        UserError: one is missing, or left over.
    """
    if missing := [name for name in scans if name not in files]:
        raise UserError(
            f"{folder / missing[0]}{suffix}: not found; {len(missing)} of {len(scans)} scans have no such file"
        )
    if left_over := [name for name in files if name not in scans]:
        raise UserError(f"{files[left_over[0]]}: there is no such scan; {len(left_over)} files belong to none")


def _is_recording(folder: Path) -> bool:
    return kitti_raw.is_drive(folder) or kitti_odometry.is_sequence(folder)


def _recordings_below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
    for path in inside:
        if _is_recording(path):
            yield path
        elif depth > 1:
            yield from _recordings_below(path, depth - 1)


def _by_name(folder: Path, suffix: str, why: str) -> dict[str, Path]:
    files = list_files(folder, {suffix}) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder}: no *{suffix} files; {why}")
    return {file.stem: file for file in files}
