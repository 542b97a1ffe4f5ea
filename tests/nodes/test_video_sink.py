"""The video plays as fast as the drive, survives a kill and a missing input, and shows the real thing."""

import subprocess
import sys
import textwrap
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from errors import UserError
from nodes.fusion import Fusion
from nodes.video_sink import VideoSink, missing_inputs
from pipeline.messages import (
    ActionProposal,
    CameraFrame,
    FusedFrame,
    FusedObject,
    Header,
    Hop,
    InputStatus,
    LidarScan,
    RangeImage,
)
from tests.kitti_drive import kitti_frame
from viewing.dashboard import layout

MS = 1_000_000
HOP = Hop("fusion", 5, 5, 6, 7, 80 * MS)
RNG = np.random.default_rng(0)
POINTS = np.column_stack([RNG.uniform(3, 30, 400), RNG.uniform(-9, 9, 400), RNG.uniform(-2, 2, 400), np.zeros(400)])
ROOT = Path(__file__).resolve().parents[2]


def fused(seq, stamp_ns, **fields):
    return FusedFrame(
        header=Header(
            name=f"{seq:06d}", seq=seq, stamp_ns=stamp_ns, due_ns=5, hops=(Hop("fusion", 5, 5, 6, 7, 80 * MS),)
        ),
        points=POINTS.astype(np.float32),
        labels=(np.arange(400) % 3).astype(np.uint8),
        class_names=("unlabelled", "car", "road"),
        class_colors=((0, 0, 0), (100, 150, 245), (255, 0, 255)),
        **fields,
    )


def image():
    return CameraFrame(image=np.full((90, 160, 3), 140, np.uint8))


def range_image():
    pixel = np.arange(400, dtype=np.int32) % (8 * 32)
    ranges = np.linalg.norm(POINTS[:, :3], axis=1).astype(np.float32)
    return RangeImage(image=np.full((5, 8, 32), 4, np.float32), point_pixel=pixel, point_range=ranges)


def record(path, stamps_ns, images=True):
    sink = VideoSink(str(path), width=640)
    for seq, stamp_ns in enumerate(stamps_ns):
        sink.process(fused(seq, stamp_ns), image() if images else None, None)
    sink.close()
    return sink


def read(path):
    """Times in seconds and pictures of a video, by a decoder that knows nothing of how it was made."""
    with av.open(str(path)) as video:
        frames = list(video.decode(video=0))
    return [float(f.pts * f.time_base) for f in frames], [f.to_ndarray(format="bgr24") for f in frames]


def test_frames_are_timed_by_their_sensor_stamps(tmp_path):
    start = 1_317_013_342_000_000_000
    offsets_ms = [0, 100, 205, 300, 900, 1000]
    record(tmp_path / "made" / "drive.mp4", [start + ms * MS for ms in offsets_ms])
    times, pictures = read(tmp_path / "made" / "drive.mp4")
    np.testing.assert_allclose(times, np.array(offsets_ms) / 1000, atol=1e-4)
    assert {p.shape for p in pictures} == {(360, 640, 3)}
    with av.open(str(tmp_path / "made" / "drive.mp4")) as video:
        assert video.streams.video[0].pix_fmt == "yuv420p"


def test_stamps_that_do_not_rise_go_on_at_the_nominal_rate_and_are_counted(tmp_path, caplog):
    sink = record(tmp_path / "drive.mp4", [0, 0, 0, 500 * MS])
    np.testing.assert_allclose(read(tmp_path / "drive.mp4")[0], [0, 0.1, 0.2, 0.5], atol=1e-4)
    assert sink.counters["stamps_not_rising"] == 2
    assert len([r for r in caplog.records if "do not rise" in r.message]) == 1


def test_the_picture_is_a_frame_of_the_second_half(tmp_path):
    sink = VideoSink(str(tmp_path / "drive.mp4"), width=640)
    saved_at = []
    for seq in range(1, 11):
        before = (tmp_path / "drive.png").read_bytes() if seq > 1 else b""
        sink.process(fused(seq, seq * 100 * MS), None, None)
        if (tmp_path / "drive.png").read_bytes() != before:
            saved_at.append(seq)
    sink.close()
    assert saved_at == [1, 2, 4, 8]
    assert cv2.imread(str(tmp_path / "drive.png")).shape == (360, 640, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drive.mp4", "drive.png"]


def test_inputs_may_come_and_go_without_changing_the_size(tmp_path):
    sink = VideoSink(str(tmp_path / "drive.mp4"), width=640)
    objects = (FusedObject(box=(10, 20, 60, 80), class_name="car", score=0.9),)
    with_extent = FusedObject(
        box=(1, 2, 3, 4), class_name="dog", score=0.5, distance_m=4, extent_min=(3, 0, 0), extent_max=(5, 1, 1)
    )
    proposals = (ActionProposal(0.0, 1.0, 0.5, False),)
    pixels, colors = np.full((400, 2), np.nan, np.float32), np.zeros((400, 3), np.uint8)
    pixels[:50] = 20
    for seq, (camera, ranges, fields) in enumerate(
        [
            (None, None, {}),
            (image(), range_image(), {"objects": objects, "pixels": pixels, "colors": colors}),
            (None, range_image(), {"objects": (with_extent,), "proposals": proposals}),
            (image(), None, {"inputs": (InputStatus("semantics", "timeout"),)}),
        ]
    ):
        sink.process(fused(seq, seq * 100 * MS, **fields), camera, ranges)
    sink.close()
    _, pictures = read(tmp_path / "drive.mp4")
    assert [p.shape for p in pictures] == [(360, 640, 3)] * 4
    plan = layout(640, 160 / 90, has_range_image=True, has_objects=True)
    left, top, w, h = plan.camera
    inner = [p[top + 4 : top + h - 4, left + 4 : left + w - 4] for p in pictures]
    assert abs(float(np.median(inner[1])) - 0.62 * 140) < 12  # the image, darkened under its points
    assert float(np.median(inner[2])) < 50  # the panel stays, without an image


def test_a_killed_run_leaves_a_video_up_to_its_last_second(tmp_path):
    script = textwrap.dedent("""
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from tests.nodes.test_video_sink import VideoSink, fused
        sink = VideoSink(sys.argv[2], width=640)
        for seq in range(25):
            sink.process(fused(seq, seq * 100_000_000), None, None)
        os._exit(9)
    """)
    path = tmp_path / "drive.mp4"
    done = subprocess.run([sys.executable, "-c", script, str(ROOT), str(path)], check=False, cwd=ROOT)
    assert done.returncode == 9
    times, _ = read(path)
    assert len(times) >= 10
    np.testing.assert_allclose(times, np.arange(len(times)) * 0.1, atol=1e-4)


def test_close_finishes_the_file_after_an_error_and_may_be_called_twice(tmp_path):
    sink = VideoSink(str(tmp_path / "drive.mp4"), width=640)
    for seq in range(3):
        sink.process(fused(seq, seq * 100 * MS), None, None)
    broken = FusedFrame(header=Header(seq=3), points=np.zeros((2, 4), np.float32), labels=np.uint8([9, 9]),
                        class_names=("a",), class_colors=((1, 2, 3),))  # fmt: skip
    with pytest.raises(IndexError):
        sink.process(broken, None, None)
    sink.close()
    sink.close()
    assert len(read(tmp_path / "drive.mp4")[0]) == 3


def test_nothing_is_written_where_nothing_came(tmp_path):
    sink = VideoSink(str(tmp_path / "drive.mp4"))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_restarted_sink_keeps_the_earlier_video(tmp_path):
    record(tmp_path / "drive.mp4", [0, 100 * MS, 200 * MS])
    record(tmp_path / "drive.mp4", [300 * MS])
    assert len(read(tmp_path / "drive.1.mp4")[0]) == 3
    assert len(read(tmp_path / "drive.mp4")[0]) == 1


def test_missing_inputs_are_said_in_plain_words():
    status = (
        InputStatus("scan", "ok", 1),
        InputStatus("semantics", "timeout"),
        InputStatus("tracks", "absent"),
        InputStatus("image", "ended"),
    )
    assert missing_inputs(status) == "semantics: did not come in time   image: has ended"
    assert missing_inputs(()) == ""


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"out": "drive.avi"}, "ends in .mp4"),
        ({"out": "drive.mp4", "fps": 0}, "fps"),
        ({"out": "drive.mp4", "width": 100}, "width"),
        ({"out": "/proc/drive.mp4"}, "cannot be written"),
    ],
)
def test_check_says_what_is_wrong(params, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=word):
        VideoSink.check(**params)


def test_a_real_drive(tmp_path, shared_data):
    """Through fusion into a video: the camera panel holds the drive's own image, with points on the near car."""
    sink, fusion = VideoSink(str(tmp_path / "drive.mp4")), Fusion()
    for index in (0, 1):
        points, picture, matrix = kitti_frame(shared_data, index)
        camera = CameraFrame(image=picture, lidar_to_image=matrix)
        scan = LidarScan(header=Header(seq=index, stamp_ns=index * 100 * MS), points=points)
        sink.process(fusion.process(scan, None, camera, None, None, None, ()), camera, None)
    sink.close()
    times, pictures = read(tmp_path / "drive.mp4")
    np.testing.assert_allclose(times, [0, 0.1], atol=1e-4)
    left, top, w, h = layout(1600, 1242 / 375, has_range_image=False, has_objects=False).camera
    panel = pictures[1][top : top + h, left : left + w].astype(float)
    sky = panel[: h // 8, w // 4 : w // 2].mean((0, 1))
    original = picture[: 375 // 8, 1242 // 4 : 1242 // 2].mean((0, 1))
    np.testing.assert_allclose(sky, 0.62 * original, atol=8)
    saturation = panel.max(axis=2) - panel.min(axis=2)
    car = saturation[int(h * 0.6) : int(h * 0.85), int(w * 0.46) : int(w * 0.56)]
    assert (car > 60).mean() > 0.1  # a dark car, coloured only by its points
