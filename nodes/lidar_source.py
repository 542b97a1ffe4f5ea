"""Source of LiDAR scans: KITTI raw drives, odometry and SemanticKITTI sequences, point cloud files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from errors import DataAbsentError
from formats import DamagedFileError, pointcloud, recording, video
from nodes._recorded import Record, play
from pipeline.messages import Header, LidarScan
from pipeline.node import Skipped

log = logging.getLogger(__name__)


class LidarSource:
    """Plays the scans of a recording.

    ``path``: the folder of a drive or sequence, a folder of ``.bin``, ``.pcd`` or ``.ply`` files, or one such file.
    ``nominal_rate_hz``: for recordings without time stamps.
    """

    def __init__(self, path: str, nominal_rate_hz: float = 10.0) -> None:
        self.path = Path(path)
        self.nominal_rate_hz = nominal_rate_hz
        self.counters: Counter[str] = Counter()
        self._after_seq = -1
        self._remission_scale = 1.0
        self._remission_missing = False

    @classmethod
    def check(cls, path: str, nominal_rate_hz: float = 10.0) -> None:
        if video.is_live(path):
            raise DataAbsentError(f"no LiDAR in {path}: it is a camera")
        files = recording.lidar_frames(Path(path), nominal_rate_hz).files
        if any(file.suffix.lower() != ".bin" for file in files):
            pointcloud.require_open3d()

    def resume(self, after_seq: int) -> None:
        self._after_seq = after_seq

    def messages(self) -> Iterator[LidarScan | Skipped]:
        frames = recording.lidar_frames(self.path, self.nominal_rate_hz)
        for note in frames.notes:
            log.warning(note)
        records = (
            Record(file.stem, stamp_ns, partial(self._read, file, stamp_ns, frames.frame_id))
            for file, stamp_ns in zip(frames.files, frames.stamps_ns, strict=True)
        )
        yield from cast(Iterator[LidarScan | Skipped], play(records, self._after_seq, str(self.path)))

    def _read(self, file: Path, stamp_ns: int | None, frame_id: str) -> LidarScan:
        cloud = pointcloud.read_points(file)
        not_finite = int(np.count_nonzero(~np.isfinite(cloud.points).all(axis=1)))
        if not_finite == len(cloud.points):
            raise DamagedFileError(f"{file}: {len(cloud.points)} points, none of them finite")
        points = self._with_remission_to_one(file, cloud)
        # The scan stays whole: labels belong to points by their number.
        self.counters["points_not_finite"] += not_finite
        return LidarScan(header=Header(stamp_ns=stamp_ns or 0, frame_id=frame_id, name=file.stem), points=points)

    def _with_remission_to_one(self, file: Path, cloud: pointcloud.PointCloud) -> np.ndarray:
        """The points with remission 0..1. The scale of a recording is that of its largest values so far."""
        if not cloud.has_remission:
            if not self._remission_missing:
                log.warning("%s has no remission, intensity or reflectivity: 0 is assumed for every point", file)
            self._remission_missing = True
            return cloud.points
        try:
            scale = min(self._remission_scale, pointcloud.remission_scale(cloud.points[:, 3]))
        except ValueError as error:
            raise DamagedFileError(f"{file}: {error}") from error
        if scale < self._remission_scale:
            log.warning("%s has remission above 1: it is divided by %d from here on", file, round(1 / scale))
            self._remission_scale = scale
        return cloud.points if scale == 1.0 else cloud.points * np.array([1, 1, 1, scale], np.float32)
