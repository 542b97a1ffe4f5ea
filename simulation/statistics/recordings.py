"""One recording on disk: its frames listed, and its statistics added up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import DataAbsentError, UserError
from formats import images, recording
from formats.labels import load_label_table, read_labels
from formats.pointcloud import read_bin
from simulation.statistics.pictures import measure_picture
from simulation.statistics.quantities import Tally
from simulation.statistics.scans import measure_scan

_RATE_HZ = 10.0  # for time stamps that a recording lacks; no statistic depends on them


@dataclass(frozen=True)
class Recording:
    """The frames of one drive. ``labels`` has one entry per scan, or none at all; either list of files may be empty."""

    path: Path
    scans: tuple[Path, ...]
    labels: tuple[Path, ...]
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class Measured:
    """A recording and what was measured on it: sums over its frames."""

    recording: Recording
    tally: Tally

    def value(self, name: str) -> np.ndarray | None:
        """The recording's value of one statistic [B] ([1] for a number), NaN in bins without data; None: no data."""
        return values(self.tally, name)


def open_recording(path: Path, at_most: int) -> Recording:
    """List the frames of a SemanticKITTI sequence or a KITTI raw drive, ``at_most`` of them, evenly spread.

    Raises:
        UserError: no such folder, neither of the two, or neither scans nor pictures in it.
    """
    camera = 2
    scans, pictures = (_files(get) for get in (lambda: recording.lidar_frames(path, _RATE_HZ),
                                               lambda: recording.camera_frames(path, camera, _RATE_HZ)))  # fmt: skip
    if not scans and not pictures:
        raise UserError(f"{path}: neither LiDAR scans nor pictures of camera {camera} to measure")
    folder = path / "labels"
    return Recording(
        path=path,
        scans=_spread(scans, at_most),
        labels=tuple(folder / f"{scan.stem}.label" for scan in _spread(scans, at_most)) if folder.is_dir() else (),
        pictures=_spread(pictures, at_most),
    )


def measure(found: Recording) -> Measured:
    """Read every frame of a recording and add up its statistics.

    Raises:
        UserError: a file that is damaged, a scan that is not an HDL-64E's, an unknown label; the line names the file.
    """
    table = load_label_table()
    tally: Tally = {}
    for k, scan in enumerate(found.scans):
        points = read_bin(scan)
        raw = read_labels(found.labels[k], len(points))[0] if found.labels else None
        try:
            _add(tally, measure_scan(points, raw, table))
        except UserError as error:
            raise UserError(f"{scan}: {error}") from error
    for picture in found.pictures:
        _add(tally, measure_picture(images.read_image(picture)))
    return Measured(found, tally)


def pool(measured: list[Measured]) -> Tally:
    """Several recordings as one, each with the same weight however many frames it has."""
    pooled: Tally = {}
    for one in measured:
        frames = max(len(one.recording.scans), len(one.recording.pictures))
        _add(pooled, {name: (a / frames, b / frames) for name, (a, b) in one.tally.items()})
    return pooled


def values(tally: Tally, name: str) -> np.ndarray | None:
    """The value of one statistic [B], NaN in bins without data; None where there is none at all."""
    if name not in tally or not tally[name][1].any():
        return None
    dividend, divisor = np.broadcast_arrays(*tally[name])
    return np.divide(dividend, divisor, out=np.full(dividend.shape, np.nan), where=divisor > 0)


def _add(into: Tally, more: Tally) -> None:
    for name, (dividend, divisor) in more.items():
        before = into.get(name, (0.0, 0.0))
        into[name] = (before[0] + dividend, before[1] + divisor)


def _files(get) -> list[Path]:
    try:
        return get().files
    except DataAbsentError:
        return []


def _spread(files: list[Path], at_most: int) -> tuple[Path, ...]:
    chosen = np.unique(np.linspace(0, len(files) - 1, min(at_most, len(files))).round().astype(int)) if files else []
    return tuple(files[k] for k in chosen)
