"""Write an annotated video of a camera alone: its frames, and the actions in them as a time line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from nodes._actions import check_timeline, stretches
from nodes._video_file import VideoFile, latency
from pipeline.messages import ActionProposals, CameraFrame

if TYPE_CHECKING:
    from viewing.camera_dashboard import Layout


class CameraVideoSink:
    """An MP4 (:class:`nodes._video_file.VideoFile`) of the camera, with what is known of actions at each frame.

    Proposals reach back as far as ``timeline_s``; they are known as late as they are in truth, a window or so behind.

    Args:
        out: the file to write, ``….mp4``.
        fps: the video's nominal frame rate.
        width: in pixels; the height follows from the camera's.
        timeline_s: the time that the time line spans.
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
        check_timeline("camera_video_sink", timeline_s)

    def process(self, image: CameraFrame, proposals: ActionProposals | None) -> None:
        """Draw one frame and encode it. Without new proposals the ones before still stand."""
        from viewing.camera_dashboard import camera_dashboard, layout

        height, width = image.image.shape[:2]
        if self._plan is None:
            self._plan = layout(self.width, width / height)
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
            measured=latency(self._known.header) if self._known else "",
        )
        self._file.write(picture, stamp_ns)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
