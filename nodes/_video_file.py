"""What the video sinks share: an MP4 that plays as fast as it was recorded, and one of its frames. Not a node."""

from __future__ import annotations

import logging
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError
from nodes._output import check_file, keep_earlier, make_folder
from pipeline.messages import Header

log = logging.getLogger(__name__)

_TICKS_PER_S = 90_000
# A fragment per group of pictures, each on disk as soon as it is done: a killed run leaves a file that plays.
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}


class VideoFile:
    """Pictures of one size, timed by their stamps; opened with the first one.

    Where stamps do not rise, a picture is put 1/``fps`` s after the one before, and counted (``stamps_not_rising``).
    The file is written in fragments of a second: killed half-way, it plays up to the last one.

    Beside it, ``<stem>.png`` is one frame as a picture, from the second half of what was written so far.

    Args:
        out: the file to write, ``….mp4``; its folder is made where it is missing.
        fps: the recording's nominal frame rate.
        counters: of the sink; ``frames`` are those written.
    """

    def __init__(self, out: Path, fps: float, counters: Counter[str]) -> None:
        self.out = out
        self.fps = fps
        self._counters = counters
        self._container: Any = None
        self._stream: Any = None
        self._first_stamp_ns: int | None = None
        self._last_tick = -1

    @staticmethod
    def check(out: str, node: str, fps: float, width: int) -> None:
        """Raise :class:`UserError` where a parameter is out of range or the file cannot be written."""
        if Path(out).suffix.lower() != ".mp4":
            raise UserError(f"{out}: the video is an MP4; give a name that ends in .mp4")
        if not 1 <= fps <= 1000:
            raise UserError(f"{node}: fps is {fps}; give frames per second, 1..1000")
        if not 640 <= width <= 3840:
            raise UserError(f"{node}: width is {width}; give pixels, 640..3840")
        check_file(Path(out))

    def seconds(self, stamp_ns: int) -> float:
        """Since the first picture; the first to be asked for is the first."""
        self._first_stamp_ns = stamp_ns if self._first_stamp_ns is None else self._first_stamp_ns
        return (stamp_ns - self._first_stamp_ns) / 1e9

    def write(self, picture: np.ndarray, stamp_ns: int) -> None:
        """Append one picture, [H, W, 3] uint8 BGR, both sizes even."""
        import av

        if self._container is None:
            self._open(picture.shape[1], picture.shape[0])
        tick = self._tick(stamp_ns)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick
        self._counters["frames"] += 1
        if self._counters["frames"].bit_count() == 1:  # 1, 2, 4, 8 …: few to write, and never an early one in the end
            _write_picture(self.out.with_suffix(".png"), picture)

    def close(self) -> None:
        """Finish the file."""
        if self._container is None:
            return
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
            self._container = None

    def _open(self, width: int, height: int) -> None:
        import av

        from formats.mp4 import add_stream

        make_folder(self.out.parent)
        keep_earlier(self.out)
        rate_hz = Fraction(self.fps).limit_denominator(1000)
        self._container = av.open(str(self.out), "w", options=_FRAGMENTED)
        self._stream = add_stream(self._container, width, height, rate_hz, low_latency=True)
        self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._stream.codec_context.gop_size = max(round(self.fps), 1)

    def _tick(self, stamp_ns: int) -> int:
        self.seconds(stamp_ns)
        tick = (stamp_ns - (self._first_stamp_ns or 0)) * _TICKS_PER_S // 1_000_000_000
        if tick > self._last_tick:
            return tick
        self._counters["stamps_not_rising"] += 1
        if self._counters["stamps_not_rising"] == 1:
            log.warning("%s: stamps do not rise: the video goes on at %g frames/s", self.out, self.fps)
        return self._last_tick + round(_TICKS_PER_S / self.fps)


def latency(header: Header) -> str:
    """From when a frame was due to when the last node before the sink was done; nothing where that is not known."""
    if not header.due_ns or not header.hops:
        return ""
    return f"latency {(header.hops[-1].finished_ns - header.due_ns) / 1e6:.0f} ms"


def _write_picture(path: Path, picture: np.ndarray) -> None:
    import cv2

    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    temporary.replace(path)
