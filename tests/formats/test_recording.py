"""What the user points at: every layout is recognised, and every mistake is one line that helps."""

from pathlib import Path

import pytest

from errors import DataAbsentError, UserError
from formats.recording import camera_frames, lidar_frames


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def numbers(count: int, suffix: str, digits: int) -> list[str]:
    return [f"{number:0{digits}d}.{suffix}" for number in range(count)]


def raw_drive(day: Path, count: int = 3) -> Path:
    drive = day / "2011_09_26_drive_0009_sync"
    touch(drive / "velodyne_points" / "data", *numbers(count, "bin", 10))
    touch(drive / "image_02" / "data", *numbers(count, "png", 10))
    return drive


def raw_stamps(drive: Path, sensor: str, count: int, offset_ms: int = 0) -> None:
    lines = [f"2011-09-26 13:02:{n // 10:02d}.{n % 10 * 100 + offset_ms:03d}000000\n" for n in range(count)]
    (drive / sensor / "timestamps.txt").write_text("".join(lines))


def test_raw_drive_with_time_stamps(tmp_path):
    drive = raw_drive(tmp_path)
    raw_stamps(drive, "velodyne_points", 3)
    raw_stamps(drive, "image_02", 3, offset_ms=10)
    lidar, camera = lidar_frames(drive, 10.0), camera_frames(drive, 2, 10.0)
    assert [file.name for file in lidar.files] == numbers(3, "bin", 10)
    assert lidar.stamps_ns[0] == 1_317_042_120_000_000_000
    assert [b - a for a, b in zip(lidar.stamps_ns, camera.stamps_ns, strict=True)] == [10_000_000] * 3
    assert (lidar.frame_id, camera.frame_id) == ("velodyne", "image_02")
    assert lidar.notes == []
    assert camera.calibration is None
    assert len(camera.notes) == 1
    assert "no calib_velo_to_cam.txt and calib_cam_to_cam.txt" in camera.notes[0]


def test_a_missing_scan_leaves_a_gap_with_and_without_stamps(tmp_path):
    """Drive 0009 of the real KITTI lacks four scans in the middle."""
    drive = raw_drive(tmp_path, 6)
    (drive / "velodyne_points" / "data" / "0000000003.bin").unlink()
    lidar, camera = lidar_frames(drive, 10.0), camera_frames(drive, 2, 10.0)
    assert lidar.stamps_ns == [0, 100_000_000, 200_000_000, 400_000_000, 500_000_000]
    assert camera.stamps_ns == [n * 100_000_000 for n in range(6)]
    assert "stamps at 10 Hz are assumed" in lidar.notes[0]
    raw_stamps(drive, "velodyne_points", 6)
    lidar = lidar_frames(drive, 10.0)
    assert [stamp - lidar.stamps_ns[0] for stamp in lidar.stamps_ns] == [0, 10**8, 2 * 10**8, 4 * 10**8, 5 * 10**8]


def test_one_sensor_without_stamps_takes_those_of_the_other(tmp_path):
    drive = raw_drive(tmp_path)
    raw_stamps(drive, "velodyne_points", 3)
    lidar, camera = lidar_frames(drive, 10.0), camera_frames(drive, 2, 10.0)
    assert camera.stamps_ns == lidar.stamps_ns
    assert any("the stamps of velodyne_points are assumed" in note for note in camera.notes)
    (drive / "velodyne_points" / "timestamps.txt").rename(drive / "image_02" / "timestamps.txt")
    assert lidar_frames(drive, 10.0).stamps_ns == lidar.stamps_ns
    assert "the stamps of image_02 are assumed" in lidar_frames(drive, 10.0).notes[0]


def test_sequence(tmp_path):
    touch(tmp_path / "velodyne", *numbers(3, "bin", 6))
    touch(tmp_path / "image_2", *numbers(3, "png", 6))
    assert lidar_frames(tmp_path, 20.0).stamps_ns == [0, 50_000_000, 100_000_000]
    (tmp_path / "times.txt").write_text("0\n1.037359e-01\n0.2073381\n0.3110752\n")
    assert lidar_frames(tmp_path, 10.0).stamps_ns == [0, 103_735_900, 207_338_100]
    (tmp_path / "calib.txt").write_text("P2: 7 0 6 4 0 7 1 0 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n")
    camera = camera_frames(tmp_path, 2, 10.0)
    assert camera.stamps_ns == [0, 103_735_900, 207_338_100]
    assert camera.calibration.lidar_to_image.tolist() == [[6, -7, 0, 4], [1, 0, -7, 0], [1, 0, 0, 0]]
    assert camera.notes == []
    assert camera.frame_id == "image_2"


@pytest.mark.parametrize("lines", ["0\n", "", "0\n0.1\n"])
def test_fewer_stamps_than_frames(tmp_path, lines):
    touch(tmp_path / "velodyne", *numbers(3, "bin", 6))
    (tmp_path / "times.txt").write_text(lines)
    with pytest.raises(UserError, match=rf"times\.txt has {len(lines.split())} lines for 3 frames"):
        lidar_frames(tmp_path, 10.0)


def test_plain_folders(tmp_path):
    touch(
        tmp_path,
        "frame_10.bin",
        "frame_9.bin",
        "frame_100.BIN",
        "frame_²9.bin",
        "._frame_1.bin",
        "notes.md",
        "b.jpg",
        "a.png",
    )
    lidar = lidar_frames(tmp_path, 10.0)
    assert [file.name for file in lidar.files] == ["frame_9.bin", "frame_10.bin", "frame_100.BIN", "frame_²9.bin"]
    assert lidar.stamps_ns == [0, 100_000_000, 200_000_000, 300_000_000]
    assert "no timestamps.txt or times.txt" in lidar.notes[0]
    camera = camera_frames(tmp_path, 2, 10.0)
    assert [file.name for file in camera.files] == ["a.png", "b.jpg"]
    assert camera.calibration is None
    (tmp_path / "times.txt").write_text("5\n6\n7\n8\n")
    assert lidar_frames(tmp_path, 10.0).stamps_ns == [5 * 10**9, 6 * 10**9, 7 * 10**9, 8 * 10**9]


def test_one_file(tmp_path):
    touch(tmp_path, "scan.pcd", "image.jpeg")
    assert lidar_frames(tmp_path / "scan.pcd", 10.0).stamps_ns == [0]
    assert camera_frames(tmp_path / "image.jpeg", 2, 10.0).stamps_ns == [0]


def test_absent_sensors(tmp_path):
    drive = raw_drive(tmp_path / "day")
    with pytest.raises(DataAbsentError, match=r"no camera 3: no folder image_03 in .*\(cameras there: image_02\)"):
        camera_frames(drive, 3, 10.0)
    sequence = touch(tmp_path / "00", "velodyne/000000.bin")
    with pytest.raises(DataAbsentError, match=r"no camera 2.*cameras there: none"):
        camera_frames(sequence, 2, 10.0)
    images = touch(tmp_path / "01", "image_2/000000.png")
    with pytest.raises(DataAbsentError, match="no LiDAR"):
        lidar_frames(images, 10.0)
    meta = touch(tmp_path / "meta", "velodyne_points/timestamps.txt", "image_02/timestamps.txt")
    with pytest.raises(DataAbsentError, match="no LiDAR"):
        lidar_frames(meta, 10.0)
    with pytest.raises(DataAbsentError, match="no camera 2"):
        camera_frames(meta, 2, 10.0)
    plain = touch(tmp_path / "plain", "0.bin")
    for path in (plain, plain / "0.bin"):
        with pytest.raises(DataAbsentError, match="no camera"):
            camera_frames(path, 2, 10.0)
    films = touch(tmp_path / "films", "a.mp4", "b.png")
    for path in (films, films / "a.mp4", films / "b.png"):
        with pytest.raises(DataAbsentError, match="no LiDAR"):
            lidar_frames(path, 10.0)


def test_mistakes_are_one_line(tmp_path):
    touch(tmp_path, "data/2011_09_26/calib_cam_to_cam.txt", "text/notes.md", "films/a.mp4", "text.md")
    raw_drive(tmp_path / "data" / "2011_09_26")
    touch(tmp_path / "data", "sequences/04/velodyne/000000.bin")
    (tmp_path / "empty").mkdir()
    for path, message in [
        ("absent", "no such file or folder"),
        ("a" * 300, "cannot be read: File name too long"),
        ("empty", "is empty"),
        ("text", r"not a recording; looked for velodyne_points/data/\*\.bin"),
        ("text.md", "not a recording this can read"),
        ("data", r"pick one: 2011_09_26/2011_09_26_drive_0009_sync, sequences/04$"),
        ("data/2011_09_26", "pick one: 2011_09_26_drive_0009_sync$"),
    ]:
        with pytest.raises(UserError, match=message) as caught:
            lidar_frames(tmp_path / path, 10.0)
        assert not isinstance(caught.value, DataAbsentError)
        assert "\n" not in str(caught.value)
        assert str(tmp_path / path) in str(caught.value)
    with pytest.raises(UserError, match=r"holds videos; pick one: a\.mp4"):
        camera_frames(tmp_path / "films", 2, 10.0)


def test_many_recordings_are_not_all_listed(tmp_path):
    for number in range(22):
        touch(tmp_path, f"sequences/{number:02d}/velodyne/000000.bin")
    with pytest.raises(UserError, match=r"sequences/00, .*sequences/07 and 14 more$"):
        lidar_frames(tmp_path, 10.0)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none(tmp_path, rate_hz):
    touch(tmp_path, "0.bin", "0.png")
    with pytest.raises(UserError, match="nominal_rate_hz is"):
        lidar_frames(tmp_path, rate_hz)
    with pytest.raises(UserError, match="nominal_rate_hz is"):
        camera_frames(tmp_path, 2, rate_hz)


def test_real_recordings(shared_data):
    drive = shared_data / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_unknown_sync"
    lidar, camera = lidar_frames(drive, 10.0), camera_frames(drive, 2, 10.0)
    assert lidar.stamps_ns == camera.stamps_ns == [n * 100_000_000 for n in range(16)]
    assert camera.calibration.image_size == (1242, 375)
    with pytest.raises(UserError, match="pick one: 2011_09_26_drive_unknown_sync"):
        lidar_frames(drive.parent, 10.0)
    with pytest.raises(UserError, match="pick one: sequences/00, sequences/04"):
        lidar_frames(shared_data / "semantickitti", 10.0)
    sequence = lidar_frames(shared_data / "semantickitti" / "sequences" / "00", 10.0)
    assert sequence.stamps_ns == [0, 103_735_900, 207_338_100]  # times.txt goes on to frame 20
