"""Video files and live cameras. Files keep the time stamps they were recorded with, exactly."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from errors import UserError
from formats import DamagedFileError
from formats.stamps import NS_PER_S, nominal_stamps

SUFFIXES = frozenset({".avi", ".h264", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})

_NETWORK = ("rtsp://", "rtsps://")
_DEVICE = re.compile(r"(?:/dev/video)?(\d{1,3})")
_TIMEOUT_S = 10.0


class VideoFrame(NamedTuple):
    """``stamp_ns``: presentation time on the file's own clock; None where it has none.

    ``image()``: BGR ``[H, W, 3]`` uint8, upright. Raises :class:`formats.DamagedFileError` where it cannot be decoded.
    """

    stamp_ns: int | None
    image: Callable[[], np.ndarray]


class VideoInfo(NamedTuple):
    """What a video file says of itself.

    ``frame_count``: 0 where it does not say. ``duration_ns``: None where it does not say, or speaks of sound as well.
    ``assumed_rate_hz``: the rate at which stamps are counted out in streams that have none (raw H.264), else None.
    """

    frame_count: int
    duration_ns: int | None
    assumed_rate_hz: Fraction | None


def probe(path: Path) -> VideoInfo:
    """Open a video file and decode its first frame.

    Raises:
        UserError: not a video, or no frame in it can be decoded.
    """
    with _open_file(path) as container:
        stream = container.streams.video[0]
        first = next((frame for frame in _decode(container) if not isinstance(frame, str)), None)
        if first is None:
            raise UserError(f"{path}: no frame in it can be decoded; the file is empty or damaged")
        stamped = _counts_decoding(container) or first.pts is not None
        rate = None if stamped else Fraction(stream.average_rate or stream.guessed_rate)
        duration_us = container.duration if len(container.streams) == 1 else None
        return VideoInfo(int(stream.frames), None if duration_us is None else duration_us * 1000, rate)


def read_video(path: Path, info: VideoInfo) -> Iterator[VideoFrame]:
    """The frames of a video file in the order of presentation, with the stamps of the file: ticks · time base.

    A frame is converted only when its ``image`` is asked for, and that before the next one is taken.
    """
    with _open_file(path) as container:
        decoding_order, ticks = _counts_decoding(container), -1
        for index, frame in enumerate(_decode(container)):
            if isinstance(frame, str):
                yield VideoFrame(None, partial(_raise, f"{path}, frame {index}: {frame}"))
                continue
            if info.assumed_rate_hz is not None:
                stamp_ns: int | None = nominal_stamps([index], info.assumed_rate_hz)[0]
            elif decoding_order:
                # The decoder hands out its last frames without a decoding stamp.
                ticks = ticks + 1 if frame.dts is None else frame.dts
                stamp_ns = round(ticks * frame.time_base * NS_PER_S)
            else:
                stamp_ns = None if frame.pts is None else round(frame.pts * frame.time_base * NS_PER_S)
            yield VideoFrame(stamp_ns, partial(_upright_bgr, frame))


def shortfall(info: VideoInfo, frame_count: int, last_stamp_ns: int) -> str | None:
    """What is missing where a file was cut short, after ``frame_count`` frames, the last at ``last_stamp_ns``."""
    if frame_count < info.frame_count:
        return f"{frame_count} of the {info.frame_count} frames it speaks of could be read"
    # Half a second of grace: the last frame's own duration, and rounding in the container.
    if not info.frame_count and info.duration_ns is not None and last_stamp_ns < info.duration_ns - NS_PER_S // 2:
        return f"it ends at {last_stamp_ns / NS_PER_S:.2f} s of the {info.duration_ns / NS_PER_S:.2f} s it speaks of"
    return None


def is_live(address: str) -> bool:
    """Whether this is a camera and no file: a device (``0``, ``/dev/video0``) or an ``rtsp://`` address."""
    # A sequence's folder may be called 00, too.
    path = Path(address)
    return address.startswith(_NETWORK) or (
        bool(_DEVICE.fullmatch(address)) and not path.is_dir() and not path.is_file()
    )


def read_live(address: str) -> Iterator[VideoFrame]:
    """Frames from a camera as they come, without stamps.

    Raises:
        UserError: the camera cannot be reached, or is lost.
    """
    return _read_network(address) if address.startswith(_NETWORK) else _read_device(address)


def _read_network(address: str) -> Iterator[VideoFrame]:
    import av

    try:
        # TCP: over UDP a lost packet would show as a smeared picture.
        container = av.open(address, timeout=_TIMEOUT_S, options={"rtsp_transport": "tcp"})
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"{_public(address)}: no connection: {_reason(error)}; check the address and the camera"
        ) from error
    with container:
        if not container.streams.video:
            raise UserError(f"{_public(address)}: connected, but it sends no video")
        for frame in _decode(container):
            image = partial(_raise, frame) if isinstance(frame, str) else partial(_upright_bgr, frame)
            yield VideoFrame(None, image)
    raise UserError(f"{_public(address)}: the camera ended the connection")


def _read_device(address: str) -> Iterator[VideoFrame]:
    import cv2

    number = int(_DEVICE.fullmatch(address)[1])  # type: ignore[index]  # is_live has seen to it
    if not Path(f"/dev/video{number}").exists():
        raise UserError(f"no camera {number}: there is no /dev/video{number}")
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise UserError(f"/dev/video{number}: cannot be opened; is it a camera, free, and readable for this user?")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the present picture, not one that has waited
        while (read := capture.read())[0]:
            yield VideoFrame(None, partial(np.asarray, read[1]))
    finally:
        capture.release()
    raise UserError(f"/dev/video{number}: the camera gives no more pictures")


@contextlib.contextmanager
def _open_file(path: Path) -> Iterator[Any]:
    import av

    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be opened as a video: {_reason(error)}") from error
    with container:
        # FFmpeg would draw a text file as a terminal session.
        if not container.streams.video or container.format.name == "tty":
            raise UserError(f"{path}: no video in it")
        yield container


def _decode(container: Any) -> Iterator[Any]:
    """Decoded frames; in place of one that is damaged, a string that says how."""
    import av

    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, OSError) as error:
            yield f"cannot be read further: {_reason(error)}"
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError) as error:
            yield f"cannot be decoded: {_reason(error)}"
            continue
        for frame in frames:
            yield "cannot be decoded whole" if frame.is_corrupt else frame


def _counts_decoding(container: Any) -> bool:
    """Whether frames are stamped by decoding order: AVI, which has no presentation stamps.

    With B-frames the ones that FFmpeg makes up for it go to and fro. The frames come out in the order of presentation,
    though, and their decoding stamps, one per frame, count it.
    """
    return bool(container.format.name == "avi")


def _upright_bgr(frame: Any) -> np.ndarray:
    image = frame.to_ndarray(format="bgr24")
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise; telephones film lying down
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def _raise(problem: str) -> np.ndarray:
    raise DamagedFileError(problem)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _public(address: str) -> str:
    """The address without user name and password."""
    return re.sub(r"//[^/@]*@", "//", address)
