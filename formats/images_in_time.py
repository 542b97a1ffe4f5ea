"""The pictures of one camera, one after the other, with the seconds since the first: whatever they are recorded as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from errors import UserError
from formats import DamagedFileError, images, recording, video
from formats.stamps import NS_PER_S


class ImagesInTime:
    """A video file, or the camera images of a recording: a KITTI drive or sequence, a folder of pictures. Iterate once.

    Attributes:
        count: of frames, as the file says; 0 where it does not.
        damaged: frames that could not be decoded or have no time stamp so far, and were left out.
        notes: what the user should know; those about the end come with the end.

    Raises:
        UserError: no such file, or neither of these.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.damaged = path, 0
        self.notes: list[str] = []
        if recording.is_video(path):
            self._info: video.VideoInfo | None = video.probe(path)
            self.count = self._info.frame_count
            if self._info.assumed_rate_hz is not None:
                rate_hz = float(self._info.assumed_rate_hz)
                self.notes.append(f"{path} has no time stamps: {rate_hz:g} frames per second are assumed")
        else:
            self._info, self._frames = None, recording.camera_frames(path, camera=2, nominal_rate_hz=10.0)
            self.count = len(self._frames.files)
            self.notes += self._frames.notes

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Seconds after the first frame, and the frame: BGR [H, W, 3] uint8."""
        first_ns = None
        for stamp_ns, image in self._decoded():
            first_ns = stamp_ns if first_ns is None else first_ns
            yield (stamp_ns - first_ns) / NS_PER_S, image
        if first_ns is None:
            raise UserError(f"{self.path}: none of its {self.damaged} frames can be decoded; the file is damaged")
        if self.damaged:
            self.notes.append(
                f"{self.path}: {self.damaged} frames are damaged, or have no time stamp, and are left out"
            )

    def _decoded(self) -> Iterator[tuple[int, np.ndarray]]:
        for stamp_ns, decode in self._files() if self._info is None else self._video(self._info):
            try:
                image = decode()
            except DamagedFileError:
                self.damaged += 1
                continue
            if stamp_ns is None:
                self.damaged += 1
                continue
            yield stamp_ns, image

    def _files(self) -> Iterator[video.VideoFrame]:
        for file, stamp_ns in zip(self._frames.files, self._frames.stamps_ns, strict=True):
            yield video.VideoFrame(stamp_ns, lambda file=file: images.read_image(file))

    def _video(self, info: video.VideoInfo) -> Iterator[video.VideoFrame]:
        count, last_ns = 0, 0
        for frame in video.read_video(self.path, info):
            count += 1
            last_ns = last_ns if frame.stamp_ns is None else frame.stamp_ns
            yield frame
        if missing := video.shortfall(info, count, last_ns):
            self.notes.append(f"{self.path} is cut short or damaged: {missing}")
