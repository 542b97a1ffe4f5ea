"""The video of a camera alone: its own times, its actions, sizes that fit."""

import av
import numpy as np
import pytest

from errors import UserError
from nodes.camera_video_sink import CameraVideoSink
from pipeline.messages import ActionProposal, ActionProposals, CameraFrame, Detections, Header
from viewing.camera_dashboard import layout
from viewing.timeline import ACTION

BEGIN_NS = 5_000_000_000


def frame(time_s):
    return CameraFrame(
        header=Header(stamp_ns=BEGIN_NS + round(time_s * 1e9), name=f"{time_s:g}"),
        image=np.full((60, 80, 3), 128, np.uint8),
    )


def read(path):
    with av.open(str(path)) as video:
        frames = list(video.decode(video=0))
    return [float(f.pts * f.time_base) for f in frames], [f.to_ndarray(format="bgr24") for f in frames]


def blue_greenish(picture, plan):
    """Whether each pixel of the first row of bars has the colour of a sure action."""
    left, top, width, _ = plan.timeline
    row = picture[top + round(plan.unit), left : left + width].astype(int)
    return (np.abs(row - ACTION) < 30).all(axis=1)


def test_frames_keep_their_times_and_proposals_stand_until_there_are_newer_ones(tmp_path):
    sink = CameraVideoSink(str(tmp_path / "made" / "clip.mp4"), width=640, timeline_s=10.0)
    known = ActionProposals(proposals=(ActionProposal(1.0, 3.0, 1.0, True),), begin_ns=BEGIN_NS)
    times_s = [0.0, 4.0, 4.5, 9.25]
    for time_s, proposals in zip(times_s, (None, known, None, None), strict=True):
        sink.process(frame(time_s), proposals)
    sink.close()
    found_s, pictures = read(tmp_path / "made" / "clip.mp4")
    assert found_s == pytest.approx(times_s, abs=1e-3)
    plan = layout(640, 80 / 60)
    assert {picture.shape for picture in pictures} == {(plan.height, plan.width, 3)}
    shares = [blue_greenish(picture, plan).mean() for picture in pictures]
    assert shares[0] == 0
    assert shares[1:] == pytest.approx([0.19] * 3, abs=0.03)  # two of ten seconds, a little less for the edge
    assert sink.counters["frames"] == 4


def test_boxes_are_those_of_the_frame_and_without_a_time_line_the_camera_is_all(tmp_path):
    sink = CameraVideoSink(str(tmp_path / "clip.mp4"), width=640, timeline_s=0)
    found = Detections(
        header=Header(stamp_ns=BEGIN_NS),
        boxes=np.float32([[20, 15, 60, 45]]),
        scores=np.float32([0.5]),
        class_ids=np.int32([1]),
        class_names=("car", "person"),
    )
    for time_s, detections in ((0.0, found), (1.0, None)):
        sink.process(frame(time_s), None, detections)
    sink.close()
    _, (with_box, without) = read(tmp_path / "clip.mp4")
    plan = layout(640, 80 / 60, timeline=False)
    assert plan.timeline is None
    assert with_box.shape == (plan.height, plan.width, 3)
    left, top, width, height = plan.camera
    assert top + height <= plan.height < layout(640, 80 / 60).height
    changed = np.abs(with_box.astype(int) - without).max(axis=2)[top : top + height, left : left + width] > 60
    rows, columns = np.nonzero(changed[height // 4 + 3 :])  # below the text
    x = np.array([columns.min(), columns.max()]) * 80 / width
    assert x == pytest.approx([20, 60], abs=1.0)
    assert (rows.max() + height // 4 + 3) * 60 / height == pytest.approx(45, abs=1.0)
    inside = changed[height // 3 : 2 * height // 3, round(width * 0.4) : round(width * 0.6)]
    assert not inside.any()


@pytest.mark.parametrize(
    ("out", "params", "what"),
    [
        ("clip.avi", {}, "ends in .mp4"),
        ("clip.mp4", {"fps": 0.0}, "camera_video_sink: fps is 0"),
        ("clip.mp4", {"width": 100}, "camera_video_sink: width is 100"),
        ("clip.mp4", {"timeline_s": 0.5}, "camera_video_sink: timeline_s is 0.5"),
    ],
)
def test_check_refuses(tmp_path, out, params, what):
    CameraVideoSink.check(str(tmp_path / "clip.mp4"))
    with pytest.raises(UserError, match=what):
        CameraVideoSink.check(str(tmp_path / out), **params)
