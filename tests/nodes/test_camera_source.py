"""Camera source: folders, videos and a network camera; what it yields, and what it leaves out and says so."""

import io
import logging
import socket
import threading

import av
import cv2
import numpy as np
import pytest

from errors import DataAbsentError, UserError
from nodes.camera_source import CameraSource
from nodes.lidar_source import LidarSource
from pipeline.messages import CameraFrame, check_arrays
from pipeline.node import Skipped, node_signature

rng = np.random.default_rng(4)
CALIB = "P2: 700 0 32 4 0 700 24 0 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"


def write_image(path, height=48, width=64):
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return image


@pytest.fixture
def sequence(tmp_path):
    for number in range(5):
        write_image(tmp_path / "image_2" / f"{number:06d}.png")
    (tmp_path / "times.txt").write_text("0\n0.1\n0.2\n0.3\n0.4\n")
    (tmp_path / "calib.txt").write_text(CALIB)
    return tmp_path


def test_it_is_a_source_of_frames():
    signature = node_signature(CameraSource)
    assert signature.is_source
    assert signature.output is CameraFrame


def test_frames_carry_image_stamp_name_and_calibration(sequence):
    CameraSource.check(path=str(sequence))
    source = CameraSource(str(sequence))
    assert not source.live
    frames = list(source.messages())
    assert len(frames) == 5
    for number, frame in enumerate(frames):
        check_arrays(frame)
        stem = f"{number:06d}"
        assert (frame.header.name, frame.header.frame_id, frame.header.stamp_ns) == (stem, "image_2", number * 10**8)
        assert np.array_equal(frame.image, cv2.imread(str(sequence / "image_2" / f"{stem}.png")))
        # Ten metres straight ahead is the principal point, shifted by the baseline.
        u, v, depth = frame.lidar_to_image @ [10, 0, 0, 1]
        assert (u / depth, v / depth, depth) == (32.4, 24, 10)


def test_a_damaged_image_is_skipped_by_name(sequence):
    path = sequence / "image_2" / "000001.png"
    path.write_bytes(path.read_bytes()[:1000])
    (sequence / "image_2" / "000002.png").write_bytes(b"")
    (sequence / "image_2" / "000003.png").write_bytes(b"GIF89a")
    messages = list(CameraSource(str(sequence)).messages())
    assert [type(message) for message in messages] == [CameraFrame, Skipped, Skipped, Skipped, CameraFrame]
    reasons = [message.reason for message in messages[1:4]]
    for reason, part in zip(reasons, ["truncated or damaged", "the file is empty", "neither a PNG nor"], strict=True):
        assert part in reason
    assert messages[4].header.name == "000004"


def test_where_every_image_is_bad_the_first_is_named(tmp_path):
    for name in ("b.jpg", "a.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(UserError, match=r"not one frame can be used; the first is a: .*neither a PNG nor"):
        list(CameraSource(str(tmp_path)).messages())


@pytest.mark.parametrize("after_seq", range(-1, 5))
def test_it_goes_on_after_a_restart(sequence, after_seq):
    (sequence / "image_2" / "000002.png").write_bytes(b"")
    whole = [str(message) for message in CameraSource(str(sequence)).messages()]
    source = CameraSource(str(sequence))
    source.resume(after_seq)
    assert [str(message) for message in source.messages()] == whole[after_seq + 1 :]


def raw_day(day):
    (day / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    (day / "calib_cam_to_cam.txt").write_text(
        "S_rect_02: 64 48\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 700 0 32 4 0 700 24 0 0 0 1 0\n"
    )
    return day / "2011_09_26_drive_0001_sync"


def test_images_of_another_size_lose_the_calibration_and_it_is_said(tmp_path, caplog):
    drive = raw_day(tmp_path)
    write_image(drive / "image_02" / "data" / "0000000000.png")
    write_image(drive / "image_02" / "data" / "0000000001.png", 50, 70)
    write_image(drive / "image_02" / "data" / "0000000002.png", 50, 70)
    source = CameraSource(str(drive))
    with caplog.at_level(logging.WARNING):
        frames = list(source.messages())
    assert [frame.lidar_to_image is None for frame in frames] == [False, True, True]
    assert caplog.text.count("is 70 x 50, the calibration is for 64 x 48") == 1
    assert source.counters["images_of_another_size"] == 2


def test_lidar_and_camera_without_stamps_stay_together_across_a_missing_file(tmp_path, caplog):
    drive = raw_day(tmp_path)
    for number in (0, 1, 3):
        write_image(drive / "image_02" / "data" / f"{number:010d}.png")
    for number in (0, 2, 3):
        scan = drive / "velodyne_points" / "data" / f"{number:010d}.bin"
        scan.parent.mkdir(parents=True, exist_ok=True)
        np.ones((4, 4), np.float32).tofile(scan)
    with caplog.at_level(logging.WARNING):
        frames = {m.header.name: m.header.stamp_ns for m in CameraSource(str(drive), nominal_rate_hz=5.0).messages()}
        scans = {m.header.name: m.header.stamp_ns for m in LidarSource(str(drive), nominal_rate_hz=5.0).messages()}
    assert frames == {"0000000000": 0, "0000000001": 200_000_000, "0000000003": 600_000_000}
    assert scans == {"0000000000": 0, "0000000002": 400_000_000, "0000000003": 600_000_000}
    assert caplog.text.count("stamps at 5 Hz are assumed") == 2


def write_video(path, count=20, container=None):
    with av.open(path, "w", format=container) as output:
        stream = output.add_stream("mpeg2video" if container == "mpegts" else "mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(count):
            picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode())


def test_a_video(tmp_path):
    path = tmp_path / "film.mp4"
    write_video(str(path))
    CameraSource.check(path=str(path))
    frames = list(CameraSource(str(path)).messages())
    assert [frame.header.stamp_ns for frame in frames] == [n * 40_000_000 for n in range(20)]
    assert [frame.header.name for frame in frames] == [f"{n:06d}" for n in range(20)]
    for frame in frames:
        check_arrays(frame)
        assert frame.lidar_to_image is None
    source = CameraSource(str(path))
    source.resume(16)
    rest = list(source.messages())
    assert [frame.header.name for frame in rest] == ["000017", "000018", "000019"]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, frames[17:], strict=True))


def test_a_video_cut_short_is_played_up_to_there_and_it_is_said(tmp_path, caplog):
    path = tmp_path / "film.avi"
    write_video(str(path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        messages = list(CameraSource(str(path)).messages())
    assert 3 < len(messages) < 20
    assert f"{path} is cut short or damaged: {len(messages)} of the 20 frames" in caplog.text


def test_check_finds_what_is_wrong_before_anything_starts(sequence, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(UserError, match="cannot be opened as a video"):
        CameraSource.check(path=str(tmp_path / "film.mp4"))
    with pytest.raises(UserError, match="no such file or folder"):
        CameraSource.check(path=str(tmp_path / "absent.mp4"))
    with pytest.raises(DataAbsentError, match=r"no camera 3.*cameras there: image_2"):
        CameraSource.check(path=str(sequence), camera=3)
    (tmp_path / "scan.bin").write_bytes(bytes(16))
    with pytest.raises(DataAbsentError, match="no camera"):
        CameraSource.check(path=str(tmp_path / "scan.bin"))
    (sequence / "calib.txt").write_text(CALIB.replace("P2: 700", "P2: x"))
    with pytest.raises(UserError, match=r"calib\.txt, line 'P2:'"):
        CameraSource.check(path=str(sequence))
    (sequence / "times.txt").write_text("0\n0.1\n0.2\n")
    with pytest.raises(UserError, match="has 3 lines for 5 frames"):
        CameraSource.check(path=str(sequence))


def test_a_camera_that_does_not_answer():
    for address in ("987", "rtsp://127.0.0.1:1/a"):
        source = CameraSource(address)
        assert source.live
        CameraSource.check(path=address)
        with pytest.raises(UserError, match=r"no camera 987|no connection: Connection refused"):
            next(source.messages())


class RtspCamera(threading.Thread):
    """A network camera for one viewer: RTSP 1.0 (RFC 2326) with an MPEG transport stream in RTP (RFC 2250) over TCP."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(20)
        self.address = f"rtsp://127.0.0.1:{self.server.getsockname()[1]}/street"

    def run(self) -> None:
        connection, _ = self.server.accept()
        description = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
        with connection, self.server, connection.makefile("rb") as requests:
            while request := requests.readline().split():
                headers = dict(line.split(b": ", 1) for line in iter(lambda: requests.readline().strip(), b""))
                reply = f"RTSP/1.0 200 OK\r\nCSeq: {headers[b'CSeq'].decode()}\r\nSession: 1\r\n"
                body = description if request[0] == b"DESCRIBE" else ""
                if request[0] == b"SETUP":
                    reply += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
                if body:
                    reply += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
                connection.sendall(f"{reply}\r\n{body}".encode())
                if request[0] == b"PLAY":
                    self.play(connection)
                    return

    def play(self, connection: socket.socket) -> None:
        payload_bytes = 7 * 188
        for number, at in enumerate(range(0, len(self.stream), payload_bytes)):
            head = bytes([0x80, 33]) + number.to_bytes(2, "big") + (number * 900).to_bytes(4, "big") + b"cam1"
            packet = head + self.stream[at : at + payload_bytes]
            connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)


def test_a_network_camera_until_it_is_lost():
    buffer = io.BytesIO()
    write_video(buffer, count=60, container="mpegts")
    camera = RtspCamera(buffer.getvalue())
    camera.start()
    source = CameraSource(camera.address)
    assert source.live
    CameraSource.check(path=camera.address)
    frames = []
    with pytest.raises(UserError, match=r"rtsp://.*: the camera ended the connection"):
        frames.extend(source.messages())
    camera.join(20)
    assert not camera.is_alive()
    images = [message for message in frames if isinstance(message, CameraFrame)]
    assert len(images) > 50
    for frame in images:
        check_arrays(frame)
        assert frame.image.shape == (48, 64, 3)
        assert frame.image.std() > 20


def test_real_drive_puts_its_scans_on_its_images(shared_data):
    drive = str(shared_data / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_unknown_sync")
    CameraSource.check(path=drive)
    frames, scans = list(CameraSource(drive).messages()), list(LidarSource(drive).messages())
    assert [frame.header.stamp_ns for frame in frames] == [scan.header.stamp_ns for scan in scans]
    frame, scan = frames[0], scans[0]
    assert frame.image.shape == (375, 1242, 3)
    homogeneous = np.column_stack([scan.points[:, :3], np.ones(len(scan.points))]) @ frame.lidar_to_image.T
    ahead = homogeneous[homogeneous[:, 2] > 1]
    pixels = ahead[:, :2] / ahead[:, 2:]
    inside = (pixels >= 0).all(axis=1) & (pixels < (1242, 375)).all(axis=1)
    assert inside.sum() > 14_000
    # Looked at by eye: the car ahead stands at about 570..690 x 190..340, some ten metres away.
    on_car = ((pixels > (590, 230)) & (pixels < (670, 270))).all(axis=1)
    assert on_car.sum() > 100
    assert 5 < np.median(ahead[on_car, 2]) < 12


def test_real_images_and_videos(shared_data):
    frames = list(CameraSource(str(shared_data / "coco_val2017_subset" / "images")).messages())
    assert len(frames) == 28
    assert len({frame.image.shape for frame in frames}) > 5, "images of differing sizes are fine"
    source = CameraSource(str(shared_data / "videos" / "mmaction2" / "test.avi"))
    stamps = [frame.header.stamp_ns for frame in source.messages()]
    assert len(stamps) == 164
    with pytest.raises(UserError, match=r"holds videos; pick one: again\.mkv"):
        CameraSource.check(path=str(shared_data / "videos" / "intel" / "asl_gestures"))
    with pytest.raises(DataAbsentError):
        CameraSource.check(path=str(shared_data / "semantickitti" / "sequences" / "00"))
