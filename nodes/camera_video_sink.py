"""Write an annotated video of a camera alone: its frames, objects in them, and actions as a time line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from nodes._actions import check_timeline, stretches
from nodes._objects import class_color
from nodes._video_file import VideoFile, latency
from pipeline.messages import ActionProposals, CameraFrame, Detections

if TYPE_CHECKING:
    from viewing.camera_dashboard import Layout
    from viewing.camera_view import Box


class CameraVideoSink:
    """An MP4 (:class:`nodes._video_file.VideoFile`) of the camera, with its objects and what is known of actions.

    Boxes are those of the same frame, or none. Proposals reach back as far as ``timeline_s``; they are known as late as
    they are in truth, a window or so behind.

    Args:
        out: the file to write, ``….mp4``.
        fps: the video's nominal frame rate.
        width: in pixels; the height follows from the camera's.
        timeline_s: the time that the time line of actions spans; 0 for no time line.
    """

    def __init__(self, out: str, fps: float = 25.0, width: int = 1280, timeline_s: float = 90.0) -> None:
        self.width = width
        self.timeline_s = timeline_s
        self.counters: Counter[str] = Counter()
        self._file = VideoFile(Path(out), fps, self.counters)
        self._plan: Layout | None = None
        self._known: ActionProposals | None = None

    @classmethod
    def check(cls, out: str, fps: float = 25.0, width: int = 1280, timeline_s: float = 90.0) -> None:
        """Raise :class:`UserError` where a parameter is out of range or the file cannot be written."""
        VideoFile.check(out, "camera_video_sink", fps, width)
        if timeline_s:
            check_timeline("camera_video_sink", timeline_s)

    def process(
        self, image: CameraFrame, proposals: ActionProposals | None = None, detections: Detections | None = None
    ) -> None:
        """Draw one frame and encode it. Without new proposals the ones before still stand."""
        from viewing.camera_dashboard import camera_dashboard, layout

        height, width = image.image.shape[:2]
        if self._plan is None:
            self._plan = layout(self.width, width / height, timeline=self.timeline_s > 0)
        self._known = proposals or self._known
        stamp_ns = image.header.stamp_ns
        now_s = self._file.seconds(stamp_ns)
        begin_ns = self._known.begin_ns if self._known else stamp_ns - round(now_s * 1e9)
        picture = camera_dashboard(
            image.image,
            self._plan,
            stretches(self._known),
            (stamp_ns - begin_ns) / 1e9,
            span_s=self.timeline_s,
            status=f"{image.header.name or image.header.seq}   {now_s:.2f} s",
            boxes=_boxes(detections),
            measured=next((latency(each.header) for each in (detections, self._known) if each), ""),
        )
        self._file.write(picture, stamp_ns)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _boxes(found: Detections | None) -> tuple[Box, ...]:
    from viewing.camera_view import detected

    if found is None:
        return ()
    names = [found.class_names[class_id] for class_id in found.class_ids]
    return detected(found.boxes, found.scores, names, [class_color(name) for name in names])
