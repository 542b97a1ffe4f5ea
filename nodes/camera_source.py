"""Source of camera images: KITTI raw and odometry, folders of images, video files, live cameras."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from formats import DamagedFileError, images, recording, video
from formats.calibration import CameraCalibration
from formats.frames import SensorFrames
from nodes._recorded import Record, play
from pipeline.messages import CameraFrame, Header
from pipeline.node import Skipped

log = logging.getLogger(__name__)


class CameraSource:
    """Plays the images of a recording, or a camera as it sees now.

    ``path``: the folder of a drive or sequence, a folder of ``.png`` or ``.jpg`` files, one such file, a video file, a
    camera device (``0``, ``/dev/video0``) or an ``rtsp://`` address. ``camera``: KITTI's number, 2 is the left colour
    camera; for KITTI's folders only. ``nominal_rate_hz``: for recordings without time stamps.
    """

    def __init__(self, path: str, camera: int = 2, nominal_rate_hz: float = 10.0) -> None:
        self.path = path
        self.camera = camera
        self.nominal_rate_hz = nominal_rate_hz
        self.live = video.is_live(path)
        self.counters: Counter[str] = Counter()
        self._after_seq = -1

    @classmethod
    def check(cls, path: str, camera: int = 2, nominal_rate_hz: float = 10.0) -> None:
        if video.is_live(path):
            return  # whether it answers is seen when it is opened
        if recording.is_video(Path(path)):
            video.probe(Path(path))
        else:
            recording.camera_frames(Path(path), camera, nominal_rate_hz)

    def resume(self, after_seq: int) -> None:
        self._after_seq = after_seq

    def messages(self) -> Iterator[CameraFrame | Skipped]:
        if self.live:
            yield from self._live()
            return
        path = Path(self.path)
        if recording.is_video(path):
            records = self._video_records(path)
        else:
            frames = recording.camera_frames(path, self.camera, self.nominal_rate_hz)
            for note in frames.notes:
                log.warning(note)
            records = self._image_records(frames)
        yield from cast(Iterator[CameraFrame | Skipped], play(records, self._after_seq, self.path))

    def _image_records(self, frames: SensorFrames) -> Iterator[Record]:
        for file, stamp_ns in zip(frames.files, frames.stamps_ns, strict=True):
            header = Header(stamp_ns=stamp_ns or 0, frame_id=frames.frame_id, name=file.stem)
            yield Record(file.stem, stamp_ns, partial(self._read_image, file, header, frames.calibration))

    def _read_image(self, file: Path, header: Header, calibration: CameraCalibration | None) -> CameraFrame:
        image = images.read_image(file)
        matrix = None if calibration is None else self._matrix_for(image, calibration, file)
        return CameraFrame(header=header, image=image, lidar_to_image=matrix)

    def _matrix_for(self, image: np.ndarray, calibration: CameraCalibration, file: Path) -> np.ndarray | None:
        size = (image.shape[1], image.shape[0])
        if calibration.image_size in (None, size):
            return calibration.lidar_to_image
        self.counters["images_of_another_size"] += 1
        if self.counters["images_of_another_size"] == 1:
            log.warning(
                "%s is %d x %d, the calibration is for %s (not rectified, or resized?): images of another size are not "
                "joined with the LiDAR",
                *(file, *size, " x ".join(map(str, calibration.image_size or ()))),
            )
        return None

    def _video_records(self, path: Path) -> Iterator[Record]:
        info = video.probe(path)
        if info.assumed_rate_hz is not None:
            log.warning("%s has no time stamps: %g frames per second are assumed", path, info.assumed_rate_hz)
        count, last_ns = 0, 0
        for count, frame in enumerate(video.read_video(path, info), start=1):
            last_ns = last_ns if frame.stamp_ns is None else frame.stamp_ns
            name = f"{count - 1:06d}"
            header = Header(stamp_ns=frame.stamp_ns or 0, frame_id="camera", name=name)
            yield Record(name, frame.stamp_ns, partial(_video_message, header, frame))
        if missing := video.shortfall(info, count, last_ns):
            log.warning("%s is cut short or damaged: %s", path, missing)

    def _live(self) -> Iterator[CameraFrame | Skipped]:
        for number, frame in enumerate(video.read_live(self.path)):
            name = f"{number:06d}"
            try:
                yield _video_message(Header(frame_id="camera", name=name), frame)
            except DamagedFileError as error:
                yield Skipped(name=name, reason=str(error))


def _video_message(header: Header, frame: video.VideoFrame) -> CameraFrame:
    return CameraFrame(header=header, image=frame.image())
