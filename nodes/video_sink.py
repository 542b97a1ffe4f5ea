"""Write an annotated video of the drive, and one of its frames as a picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from nodes._actions import check_timeline, stretches
from nodes._objects import class_color
from nodes._video_file import VideoFile, latency
from pipeline.messages import ActionProposals, CameraFrame, FusedFrame, FusedObject, InputStatus, RangeImage

if TYPE_CHECKING:
    from viewing.dashboard import Actions, Scene

_REASONS = {"timeout": "did not come in time", "passed": "only later ones came", "ended": "has ended"}


class VideoSink:
    """An MP4 of what the pipeline saw: camera, range image, bird's-eye view, classes, objects, actions, latency.

    It plays as fast as the drive was recorded, whatever the playback rate: see :class:`nodes._video_file.VideoFile`.

    Args:
        out: the file to write, ``….mp4``; its folder is made where it is missing.
        fps: the recording's nominal frame rate.
        width: of the video in pixels; its height is 9/16 of that.
        timeline_s: the time that the time line of actions spans, where there are any.
    """

    def __init__(self, out: str, fps: float = 10.0, width: int = 1600, timeline_s: float = 90.0) -> None:
        self.width = width
        self.timeline_s = timeline_s
        self.counters: Counter[str] = Counter()
        self._file = VideoFile(Path(out), fps, self.counters)
        self._camera_aspect: float | None = None
        self._has_objects = False
        self._known: ActionProposals | None = None

    @classmethod
    def check(cls, out: str, fps: float = 10.0, width: int = 1600, timeline_s: float = 90.0) -> None:
        """Raise :class:`UserError` where a parameter is out of range or the file cannot be written."""
        VideoFile.check(out, "video_sink", fps, width)
        check_timeline("video_sink", timeline_s)

    def process(
        self,
        fused: FusedFrame,
        image: CameraFrame | None,
        range_image: RangeImage | None,
        proposals: ActionProposals | None = None,
    ) -> None:
        """Draw one frame and encode it."""
        from viewing.dashboard import dashboard

        if image is not None:
            self._camera_aspect = image.image.shape[1] / image.image.shape[0]
        self._has_objects |= bool(fused.objects)
        self._known = proposals or self._known
        picture = dashboard(self._scene(fused, image, range_image), self.width)
        self._file.write(picture, fused.header.stamp_ns)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

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
            actions=self._actions(fused.header.stamp_ns),
            has_objects=self._has_objects,
            status=self._status(fused),
            warning=missing_inputs(fused.inputs),
            measured=latency(fused.header),
        )

    def _status(self, fused: FusedFrame) -> str:
        name = fused.header.name or f"{fused.header.seq:06d}"
        time_s = self._file.seconds(fused.header.stamp_ns)
        return f"{name}   {time_s:.2f} s   {len(fused.points):,} points"

    def _actions(self, stamp_ns: int) -> Actions | None:
        from viewing.dashboard import Actions

        if self._known is None:
            return None
        return Actions(stretches(self._known), (stamp_ns - self._known.begin_ns) / 1e9, self.timeline_s)


def missing_inputs(inputs: tuple[InputStatus, ...]) -> str:
    """What is missing and why, in plain words; what this graph does not have (``absent``) is not missing."""
    missing = [i for i in inputs if i.reason not in ("ok", "absent")]
    return "   ".join(f"{i.topic}: {_REASONS.get(i.reason, i.reason)}" for i in missing)


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
    return class_color(found.class_name)
