"""The labelled scans to be scored: in a SemanticKITTI root, one sequence, a simulated drive, or a folder of drives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errors import UserError
from formats import DamagedFileError, kitti_odometry, kitti_raw, pointcloud
from formats.frames import list_files
from formats.labels import LabelTable, read_labels

VALIDATION = "08"
"""The benchmark's validation sequence: what is scored of a SemanticKITTI root where nothing else is asked for."""


class ScanFiles(NamedTuple):
    """One scan: the sequence or drive it is of, its name in it (000042), and where its points and labels are."""

    sequence: str
    name: str
    points: Path
    labels: Path


class LabelledScan(NamedTuple):
    """``points`` [N, 4] float32 x y z remission (metres, 0..1), ``truth`` [N] uint8 training classes."""

    points: np.ndarray
    truth: np.ndarray


class Selection(NamedTuple):
    """``left_out``: sequences that have no labels, where all were asked for."""

    scans: list[ScanFiles]
    left_out: list[str]


def find_scans(data: Path, sequences: str | None = None) -> Selection:
    """The scans of ``data`` in order, each with its labels.

    Args:
        data: a folder with ``sequences/NN``; one sequence or drive; or a folder with such one or two folders down.
        sequences: names with commas between them, or ``all``. None: 08 of a SemanticKITTI root, else all.

    Raises:
        UserError: nothing to score there, a sequence that is not there, a scan without labels or labels without scan.
    """
    if not data.is_dir():
        raise UserError(f"--data {data}: no such folder; give a SemanticKITTI root, a sequence, or a folder of drives")
    if _is_recording(data):
        if sequences not in (None, "all"):
            raise UserError(f"--sequences {sequences}: {data} is one recording; leave --sequences out")
        return Selection(_scans_of(data.resolve().name, data), [])
    is_root = (data / "sequences").is_dir()
    found = _recordings_in(data / "sequences" if is_root else data)
    if not found:
        raise UserError(f"--data {data}: no velodyne/*.bin there or in folders below; give SemanticKITTI's layout")
    if sequences is None:
        sequences = VALIDATION if is_root else "all"
    names = list(found) if sequences == "all" else _names(sequences, found, data)
    labelled = [name for name in names if sequences != "all" or (found[name] / "labels").is_dir()]
    if not labelled:
        raise UserError(
            f"--data {data}: none of its {len(found)} recordings has labels/; there is no truth to score by"
        )
    scans = [scan for name in labelled for scan in _scans_of(name, found[name])]
    return Selection(scans, [name for name in names if name not in labelled])


def read_scan(files: ScanFiles, table: LabelTable) -> LabelledScan:
    """Read a scan and its true classes.

    Raises:
        UserError: a file is damaged, they do not fit each other, a label is not in the table.
    """
    points = pointcloud.read_bin(files.points)
    try:
        scale = pointcloud.remission_scale(points[:, 3])
    except ValueError as error:
        raise DamagedFileError(f"{files.points}: {error}") from error
    if scale != 1.0:
        points = points * np.array([1, 1, 1, scale], np.float32)
    return LabelledScan(points, read_classes(files.labels, len(points), table))


def read_classes(path: Path, points: int, table: LabelTable) -> np.ndarray:
    """The training class of each point, [N] uint8, of a ``.label`` file of raw ids.

    Raises:
        UserError: unreadable, damaged, not one label per point, or an id that the table does not have; with the path.
    """
    raw_ids, _ = read_labels(path, points)
    try:
        return table.to_train(raw_ids)
    except UserError as error:
        raise UserError(f"{path}: {error} (.label files hold raw ids, 40 for road, not classes 0..19)") from error


def _is_recording(folder: Path) -> bool:
    return kitti_raw.is_drive(folder) or kitti_odometry.is_sequence(folder)


def _recordings_in(folder: Path) -> dict[str, Path]:
    """Recordings one or two folders further down, by their paths relative to ``folder``."""
    folders = sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_dir())
    return {path.relative_to(folder).as_posix(): path for path in folders if _is_recording(path)}


def _names(sequences: str, found: dict[str, Path], data: Path) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in sequences.split(",") if name.strip()))
    absent = [name for name in names if name not in found]
    if absent or not names:
        raise UserError(
            f"--data {data}: no sequence {absent[0] if absent else sequences!r}; give --sequences all, or some of "
            f"{', '.join(found)}"
        )
    return names


def _scans_of(sequence: str, folder: Path) -> list[ScanFiles]:
    """The scans of one recording. Scans and labels must pair up: one that is left over is a broken copy."""
    raw = folder / "velodyne_points" / "data"
    points = _by_name(raw if raw.is_dir() else folder / "velodyne", ".bin", "a recording has its scans there")
    labels = _by_name(folder / "labels", ".label", "a scan without true labels cannot be scored")
    require_same(points, labels, folder / "labels", ".label")
    return [ScanFiles(sequence, name, path, labels[name]) for name, path in points.items()]


def _by_name(folder: Path, suffix: str, why: str) -> dict[str, Path]:
    files = list_files(folder, {suffix}) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder}: no *{suffix} files; {why}")
    return {file.stem: file for file in files}


def require_same(scans: Sequence[str] | dict[str, Path], files: dict[str, Path], folder: Path, suffix: str) -> None:
    """Raise :class:`UserError` unless there is one file for each scan and none besides."""
    if missing := [name for name in scans if name not in files]:
        raise UserError(
            f"{folder / missing[0]}{suffix}: not found; {len(missing)} of {len(scans)} scans have no such file"
        )
    if left_over := [name for name in files if name not in scans]:
        raise UserError(f"{files[left_over[0]]}: there is no such scan; {len(left_over)} files belong to none")
