"""Write an annotated video of the drive, and one of its frames as a picture."""

from __future__ import annotations

import logging
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import UserError
from nodes._output import check_file, keep_earlier, make_folder
from pipeline.messages import CameraFrame, FusedFrame, FusedObject, Header, InputStatus, RangeImage

if TYPE_CHECKING:
    from viewing.dashboard import Scene

log = logging.getLogger(__name__)

_TICKS_PER_S = 90_000
# A fragment per group of pictures, each on disk as soon as it is done: a killed run leaves a file that plays.
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_REASONS = {"timeout": "did not come in time", "passed": "only later ones came", "ended": "has ended"}
# Classes that no label table gives a colour to, BGR.
_OTHER_COLORS = ((255, 200, 80), (90, 200, 255), (140, 230, 120), (220, 140, 255), (120, 160, 255), (230, 220, 90))


class VideoSink:
    """An MP4 of what the pipeline saw: camera, range image, bird's-eye view, classes, objects, latency.

    It plays as fast as the drive was recorded, whatever the playback rate: frames are timed by their sensor stamps.
    Where these do not rise, a frame is put 1/``fps`` s after the one before, and counted (``stamps_not_rising``).
    The file is written in fragments of a second: killed half-way, it plays up to the last one.

    Beside it, ``<stem>.png`` is one frame as a picture, from the second half of what was written so far.

    Args:
        out: the file to write, ``….mp4``; its folder is made where it is missing.
        fps: the recording's nominal frame rate.
        width: of the video in pixels; its height is 9/16 of that.
    """

    def __init__(self, out: str, fps: float = 10.0, width: int = 1600) -> None:
        self.out = Path(out)
        self.fps = fps
        self.width = width
        self.counters: Counter[str] = Counter()
        self._container: Any = None
        self._stream: Any = None
        self._first_stamp_ns = 0
        self._last_tick = 0
        self._camera_aspect: float | None = None
        self._has_objects = False

    @classmethod
    def check(cls, out: str, fps: float = 10.0, width: int = 1600) -> None:
        """Raise :class:`UserError` where a parameter is out of range or the file cannot be written."""
        if Path(out).suffix.lower() != ".mp4":
            raise UserError(f"{out}: the video is an MP4; give a name that ends in .mp4")
        if not 1 <= fps <= 1000:
            raise UserError(f"video_sink: fps is {fps}; give frames per second, 1..1000")
        if not 640 <= width <= 3840:
            raise UserError(f"video_sink: width is {width}; give pixels, 640..3840")
        check_file(Path(out))

    def process(self, fused: FusedFrame, image: CameraFrame | None, range_image: RangeImage | None) -> None:
        """Draw one frame and encode it."""
        from viewing.dashboard import dashboard

        if self._container is None:
            self._open_file(fused.header.stamp_ns)
        if image is not None:
            self._camera_aspect = image.image.shape[1] / image.image.shape[0]
        self._has_objects |= bool(fused.objects or fused.proposals)
        picture = dashboard(self._scene(fused, image, range_image), self.width)
        self._encode(picture, fused.header.stamp_ns)
        self.counters["frames"] += 1
        if self.counters["frames"].bit_count() == 1:  # 1, 2, 4, 8 …: few to write, and never an early one in the end
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

    def _open_file(self, first_stamp_ns: int) -> None:
        import av

        from formats.mp4 import add_stream
        from viewing.dashboard import layout

        make_folder(self.out.parent)
        keep_earlier(self.out)
        plan = layout(self.width, None, has_range_image=False, has_objects=False)
        rate_hz = Fraction(self.fps).limit_denominator(1000)
        self._container = av.open(str(self.out), "w", options=_FRAGMENTED)
        self._stream = add_stream(self._container, plan.width, plan.height, rate_hz, low_latency=True)
        self._stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._stream.codec_context.gop_size = max(round(self.fps), 1)
        self._first_stamp_ns = first_stamp_ns
        self._last_tick = -1

    def _encode(self, picture: np.ndarray, stamp_ns: int) -> None:
        import av

        tick = (stamp_ns - self._first_stamp_ns) * _TICKS_PER_S // 1_000_000_000
        if tick <= self._last_tick:
            tick = self._last_tick + round(_TICKS_PER_S / self.fps)
            self.counters["stamps_not_rising"] += 1
            if self.counters["stamps_not_rising"] == 1:
                log.warning("%s: stamps do not rise: the video goes on at %g frames/s", self.out, self.fps)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick

    def _scene(self, fused: FusedFrame, image: CameraFrame | None, range_image: RangeImage | None) -> Scene:
        from viewing.birds_eye import Footprint
        from viewing.camera_view import Box
        from viewing.dashboard import RangeStrips, Scene

        colors = [_object_color(o, fused) for o in fused.objects]
        far = float("inf")
        return Scene(
            points=fused.points,
            labels=fused.labels,
            class_names=fused.class_names,
            class_colors=fused.class_colors,
            image=None if image is None else image.image,
            camera_aspect=self._camera_aspect,
            pixels=fused.pixels,
            range_strips=None
            if range_image is None
            else RangeStrips(range_image.image[0], range_image.point_pixel, range_image.point_range),
            boxes=tuple(
                Box(o.box, _object_text(o), color, far if o.distance_m is None else o.distance_m)
                for o, color in zip(fused.objects, colors, strict=True)
            ),
            footprints=tuple(
                Footprint(*o.extent_min[:2], *o.extent_max[:2], _object_name(o), color)
                for o, color in zip(fused.objects, colors, strict=True)
                if o.extent_min is not None and o.extent_max is not None
            ),
            activities=tuple(
                f"activity {p.start_s:.1f}..{p.end_s:.1f} s  {p.score:.2f}{'' if p.final else '  provisional'}"
                for p in fused.proposals
            ),
            has_objects=self._has_objects,
            status=self._status(fused),
            warning=missing_inputs(fused.inputs),
            measured=_latency(fused.header),
        )

    def _status(self, fused: FusedFrame) -> str:
        name = fused.header.name or f"{fused.header.seq:06d}"
        time_s = (fused.header.stamp_ns - self._first_stamp_ns) / 1e9
        return f"{name}   {time_s:.2f} s   {len(fused.points):,} points"


def missing_inputs(inputs: tuple[InputStatus, ...]) -> str:
    """What is missing and why, in plain words; what this graph does not have (``absent``) is not missing."""
    missing = [i for i in inputs if i.reason not in ("ok", "absent")]
    return "   ".join(f"{i.topic}: {_REASONS.get(i.reason, i.reason)}" for i in missing)


def _latency(header: Header) -> str:
    if not header.due_ns or not header.hops:
        return ""
    return f"latency {(header.hops[-1].finished_ns - header.due_ns) / 1e6:.0f} ms"


def _object_name(found: FusedObject) -> str:
    return found.class_name if found.track_id is None else f"{found.class_name} {found.track_id}"


def _object_text(found: FusedObject) -> str:
    distance = "" if found.distance_m is None else f"  {found.distance_m:.1f} m"
    return f"{_object_name(found)}{distance}  {found.score:.2f}"


def _object_color(found: FusedObject, fused: FusedFrame) -> tuple[int, int, int]:
    """The colour of the points' class of that name, or one that the class always has."""
    from viewing.style import palette

    if found.class_name in fused.class_names:
        return tuple(palette(fused.class_colors)[fused.class_names.index(found.class_name)].tolist())
    return _OTHER_COLORS[sum(found.class_name.encode()) % len(_OTHER_COLORS)]


def _write_picture(path: Path, picture: np.ndarray) -> None:
    import cv2

    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    temporary.replace(path)
