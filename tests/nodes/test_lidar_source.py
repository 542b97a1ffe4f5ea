"""LiDAR source: what it yields, what it leaves out and says so, and how it goes on after a restart."""

import logging

import numpy as np
import pytest

from errors import DataAbsentError, UserError
from formats import pointcloud
from nodes.lidar_source import LidarSource
from pipeline.messages import LidarScan, check_arrays
from pipeline.node import Skipped, node_signature

READ_POINTS = pointcloud.read_points
rng = np.random.default_rng(2)


def write_scan(path, count=20, remission=1.0):
    points = np.column_stack([rng.normal(0, 20, (count, 3)), rng.random(count) * remission]).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    points.tofile(path)
    return points


@pytest.fixture
def sequence(tmp_path):
    for number in range(5):
        write_scan(tmp_path / "velodyne" / f"{number:06d}.bin", 20 + number)
    (tmp_path / "times.txt").write_text("0\n0.1\n0.2\n0.3\n0.4\n")
    return tmp_path


def test_it_is_a_source_of_scans():
    signature = node_signature(LidarSource)
    assert signature.is_source
    assert signature.output is LidarScan


def test_scans_carry_points_stamp_and_name(sequence):
    LidarSource.check(path=str(sequence))
    scans = list(LidarSource(str(sequence)).messages())
    for number, scan in enumerate(scans):
        check_arrays(scan)
        stem = f"{number:06d}"
        assert (scan.header.name, scan.header.frame_id, scan.header.stamp_ns) == (stem, "velodyne", number * 10**8)
        expected = np.fromfile(sequence / "velodyne" / f"{stem}.bin", np.float32).reshape(-1, 4)
        assert np.array_equal(scan.points, expected)
    assert len(scans) == 5


def test_a_damaged_scan_is_skipped_by_name(sequence):
    (sequence / "velodyne" / "000001.bin").write_bytes(bytes(1003))
    (sequence / "velodyne" / "000002.bin").write_bytes(b"")
    (sequence / "velodyne" / "000003.bin").unlink()
    (sequence / "velodyne" / "000003.bin").mkdir()
    messages = list(LidarSource(str(sequence)).messages())
    assert [type(message) for message in messages] == [LidarScan, Skipped, Skipped, Skipped, LidarScan]
    assert [message.name for message in messages[1:4]] == ["000001", "000002", "000003"]
    assert "1003 bytes is not a whole number of 16-byte points" in messages[1].reason
    assert "0 points" in messages[2].reason
    assert "cannot be read: Is a directory" in messages[3].reason
    assert messages[4].header.stamp_ns == 4 * 10**8


def test_points_that_are_not_finite_stay_and_are_counted(sequence):
    path = sequence / "velodyne" / "000001.bin"
    points = np.fromfile(path, np.float32).reshape(-1, 4)
    points[3, 1], points[7, 3] = np.nan, np.inf
    points.tofile(path)
    nothing = np.full((4, 4), np.nan, np.float32)
    nothing.tofile(sequence / "velodyne" / "000003.bin")
    source = LidarSource(str(sequence))
    messages = list(source.messages())
    assert np.array_equal(messages[1].points, points, equal_nan=True)
    assert source.counters["points_not_finite"] == 2
    assert isinstance(messages[3], Skipped)
    assert "4 points, none of them finite" in messages[3].reason


def test_a_stamp_that_goes_back_is_skipped(sequence):
    (sequence / "times.txt").write_text("0\n0.1\n0.05\n0.1\n0.4\n")
    messages = list(LidarSource(str(sequence)).messages())
    assert [type(message) for message in messages] == [LidarScan, LidarScan, Skipped, Skipped, LidarScan]
    assert "not later than that of a frame before it (by 0.050000 s)" in messages[2].reason


def test_a_frame_without_a_stamp_is_skipped(sequence):
    (sequence / "times.txt").write_text("0\n0.1\n\n0.3\n0.4\n")
    messages = list(LidarSource(str(sequence)).messages())
    assert messages[2] == Skipped(name="000002", reason="it has no time stamp")


def test_where_every_scan_is_bad_the_first_is_named(sequence):
    for number in range(5):
        (sequence / "velodyne" / f"{number:06d}.bin").write_bytes(bytes(10 + number))
    messages = LidarSource(str(sequence)).messages()
    assert [next(messages).name for _ in range(5)] == [f"{number:06d}" for number in range(5)]
    with pytest.raises(UserError, match=r"not one frame can be used; the first is 000000: .*: 10 bytes"):
        next(messages)


@pytest.mark.parametrize("after_seq", range(-1, 5))
def test_it_goes_on_after_a_restart_and_reads_nothing_before(sequence, after_seq, monkeypatch):
    (sequence / "velodyne" / "000002.bin").write_bytes(bytes(7))
    (sequence / "times.txt").write_text("0\n0.3\n0.3\n0.2\n0.4\n")
    whole = [str(message) for message in LidarSource(str(sequence)).messages()]
    read = []

    def read_points(path):
        read.append(path.stem)
        return READ_POINTS(path)

    monkeypatch.setattr("formats.pointcloud.read_points", read_points)
    source = LidarSource(str(sequence))
    source.resume(after_seq)
    assert [str(message) for message in source.messages()] == whole[after_seq + 1 :]
    assert read == [f"{number:06d}" for number in range(after_seq + 1, 5)]


def test_missing_stamps_are_announced(sequence, caplog):
    (sequence / "times.txt").unlink()
    with caplog.at_level(logging.WARNING):
        scans = list(LidarSource(str(sequence), nominal_rate_hz=20.0).messages())
    assert [scan.header.stamp_ns for scan in scans] == [n * 50_000_000 for n in range(5)]
    assert f"no times.txt in {sequence}: stamps at 20 Hz are assumed" in caplog.text


def test_remission_of_a_byte_is_scaled_once_and_announced(tmp_path, caplog):
    written = [write_scan(tmp_path / f"{number}.bin", 200, remission=255) for number in range(3)]
    with caplog.at_level(logging.WARNING):
        scans = list(LidarSource(str(tmp_path)).messages())
    for points, scan in zip(written, scans, strict=True):
        check_arrays(scan)
        assert np.allclose(scan.points[:, 3], points[:, 3] / 255)
        assert np.array_equal(scan.points[:, :3], points[:, :3])
    assert caplog.text.count("has remission above 1: it is divided by 255") == 1


def test_scans_of_another_layout_are_not_taken_for_kitti(tmp_path):
    """Five floats a point, as nuScenes has them: often a whole number of four, but remission is none then."""
    points = rng.normal(0, 20, (160, 5)).astype(np.float32)
    points.tofile(tmp_path / "a.bin")
    with pytest.raises(UserError, match="are these points x y z remission"):
        list(LidarSource(str(tmp_path)).messages())


@pytest.mark.parametrize("suffix", ["pcd", "ply"])
def test_point_cloud_files(tmp_path, caplog, suffix):
    open3d = pytest.importorskip("open3d")
    points = rng.normal(0, 20, (30, 3)).astype(np.float32)
    cloud = open3d.t.geometry.PointCloud(points)
    open3d.t.io.write_point_cloud(str(tmp_path / f"1.{suffix}"), cloud)
    cloud.point["intensity"] = np.full((30, 1), 102.0, np.float32)
    open3d.t.io.write_point_cloud(str(tmp_path / f"2.{suffix}"), cloud)
    (tmp_path / f"3.{suffix}").write_bytes((tmp_path / f"2.{suffix}").read_bytes()[:-100])
    LidarSource.check(path=str(tmp_path))
    with caplog.at_level(logging.WARNING):
        messages = list(LidarSource(str(tmp_path)).messages())
    assert np.array_equal(messages[0].points, np.column_stack([points, np.zeros(30)]).astype(np.float32))
    assert np.allclose(messages[1].points[:, 3], 0.4)
    assert isinstance(messages[2], Skipped)
    assert "0 is assumed for every point" in caplog.text
    assert "divided by 255" in caplog.text


def test_check_wants_open3d_for_point_cloud_files_only(tmp_path, monkeypatch):
    write_scan(tmp_path / "a" / "0.bin")
    write_scan(tmp_path / "b" / "0.pcd")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    LidarSource.check(path=str(tmp_path / "a"))
    with pytest.raises(UserError, match=r"pip install rangecast\[sim\]"):
        LidarSource.check(path=str(tmp_path / "b"))


@pytest.mark.parametrize("path", ["0", "rtsp://127.0.0.1/a"])
def test_a_camera_has_no_lidar(path):
    with pytest.raises(DataAbsentError, match="no LiDAR"):
        LidarSource.check(path=path)


def test_check_finds_what_is_wrong_before_anything_starts(sequence, tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        LidarSource.check(path=str(tmp_path / "absent"))
    (sequence / "times.txt").write_text("0\n")
    with pytest.raises(UserError, match="has 1 lines for 5 frames"):
        LidarSource.check(path=str(sequence))


def test_real_recordings(shared_data):
    drive = shared_data / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_unknown_sync"
    for path, count in [
        (drive, 16),
        (shared_data / "semantickitti" / "sequences" / "00", 3),
        (shared_data / "semantickitti" / "sequences" / "04", 6),
        (shared_data / "kitti_object" / "mmdet3d_demo", 1),
    ]:
        LidarSource.check(path=str(path))
        source = LidarSource(str(path))
        scans = list(source.messages())
        assert len(scans) == count
        assert all(isinstance(scan, LidarScan) for scan in scans)
        assert source.counters["points_not_finite"] == 0
        assert all(scan.points[:, 3].min() >= 0 and scan.points[:, 3].max() <= 1 for scan in scans)
    with pytest.raises(UserError, match="x y z remission"):
        list(LidarSource(str(shared_data / "nuscenes_demo")).messages())
    with pytest.raises(DataAbsentError):
        LidarSource.check(path=str(shared_data / "kitti_raw_0001_meta" / "2011_09_26_drive_0001_sync"))
