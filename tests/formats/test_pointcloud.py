"""Point clouds: what was written is read; what is cut short is refused and not padded."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from formats import pointcloud
from formats.pointcloud import read_bin, read_points, remission_scale

rng = np.random.default_rng(3)
POINTS = np.column_stack([rng.normal(0, 20, (50, 3)), rng.random(50)]).astype(np.float32)


def write_cloud(path, points=POINTS, name="intensity", ascii_=False, compressed=False):
    open3d = pytest.importorskip("open3d")
    cloud = open3d.t.geometry.PointCloud(points[:, :3].copy())
    if name:
        cloud.point[name] = points[:, 3:].copy()
    assert open3d.t.io.write_point_cloud(str(path), cloud, write_ascii=ascii_, compressed=compressed)


def test_bin(tmp_path):
    path = tmp_path / "000000.bin"
    POINTS.tofile(path)
    points = read_bin(path)
    assert np.array_equal(points, POINTS)
    assert points.dtype == np.float32
    cloud = read_points(path)
    assert cloud.has_remission
    assert np.array_equal(cloud.points, POINTS)


def test_a_bin_of_another_size_names_itself(tmp_path):
    path = tmp_path / "000007.bin"
    path.write_bytes(bytes(1003))
    with pytest.raises(UserError, match=r"000007\.bin: 1003 bytes is not a whole number of 16-byte points"):
        read_bin(path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_bin(tmp_path / "absent.bin")


@pytest.mark.parametrize("name", ["intensity", "remission", "reflectivity", "Intensity", None])
@pytest.mark.parametrize(
    ("suffix", "ascii_", "compressed"),
    [("pcd", False, False), ("pcd", True, False), ("pcd", False, True), ("ply", False, False), ("ply", True, False)],
)
def test_open3d_formats(tmp_path, suffix, ascii_, compressed, name):
    path = tmp_path / f"cloud.{suffix}"
    write_cloud(path, name=name, ascii_=ascii_, compressed=compressed)
    cloud = read_points(path)
    assert cloud.points.dtype == np.float32
    assert cloud.has_remission == (name is not None)
    expected = POINTS if name else POINTS * np.float32([1, 1, 1, 0])
    assert np.allclose(cloud.points, expected, atol=1e-3 if ascii_ else 0)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
@pytest.mark.parametrize(
    ("suffix", "ascii_", "compressed"),
    [("pcd", False, False), ("pcd", True, False), ("pcd", False, True), ("ply", False, False), ("ply", True, False)],
)
def test_a_truncated_file_is_refused(tmp_path, capfd, suffix, ascii_, compressed, share):
    path = tmp_path / f"cloud.{suffix}"
    write_cloud(path, ascii_=ascii_, compressed=compressed)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=rf"cloud\.{suffix}: ") as caught:
        read_points(path)
    assert "\n" not in str(caught.value)
    assert "Open3D WARNING" not in "".join(capfd.readouterr())


def test_fields_of_other_types_and_points_that_are_not_finite(tmp_path):
    pytest.importorskip("open3d")
    path = tmp_path / "a.pcd"
    path.write_text(
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z reflectivity ring\nSIZE 4 4 4 1 2\nTYPE F F F U U\nCOUNT 1 1 1 1 1\n"
        "WIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA ascii\n1 2 3 200 4\nnan nan nan 0 1\n"
    )
    points = read_points(path).points
    assert points[0].tolist() == [1, 2, 3, 200]
    assert np.isnan(points[1, :3]).all()
    path = tmp_path / "a.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 2\nproperty double x\nproperty double y\nproperty double z\n"
        "property uchar remission\nelement face 0\nproperty list uchar int vertex_indices\nend_header\n"
        "1 2 3 200\n4 5 6 0\n"
    )
    assert read_points(path).points.tolist() == [[1, 2, 3, 200], [4, 5, 6, 0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pcd", "just text"),
        ("a.pcd", "FIELDS x y z\nSIZE 4 4 4\nPOINTS many\nDATA binary\n"),
        ("a.ply", "just text"),
        ("a.ply", "ply\nend_header\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty list uchar int x\nend_header\n1 1\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty float a\nend_header\n1\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nend_header\n1\n2\n"),
        ("a.pcd", "VERSION 0.7\nFIELDS x\nSIZE 4\nTYPE F\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n1\n2\n"),
        ("a.ply", ""),
        ("a.pcd", ""),
    ],
)
def test_what_is_no_point_cloud_is_refused(tmp_path, name, text):
    pytest.importorskip("open3d")
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=name):
        read_points(tmp_path / name)


def test_without_open3d_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install rangecast\[sim\]"):
        read_points(tmp_path / "a.pcd")


def test_a_bin_needs_no_open3d(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    POINTS.tofile(tmp_path / "a.bin")
    assert len(read_points(tmp_path / "a.bin").points) == 50


@given(st.lists(st.floats(0, 65535, width=32), min_size=1))
def test_remission_comes_to_lie_between_0_and_1(values):
    scaled = np.array(values) * remission_scale(np.array(values))
    assert scaled.min() >= 0
    assert scaled.max() <= 1 + 1e-12


def test_remission_scales():
    assert remission_scale(np.array([0.0, 1.0])) == 1.0
    assert remission_scale(np.array([0.0, 255.0, np.nan])) == 1 / 255
    assert remission_scale(np.array([0.0, 256.0])) == 1 / 65535
    assert remission_scale(np.array([])) == 1.0
    for wrong in (-0.1, 70000.0):
        with pytest.raises(ValueError, match="remission runs from"):
            remission_scale(np.array([wrong, 0.5]))


def test_real_scans(shared_data):
    for path in (shared_data / "semantickitti" / "sequences" / "04" / "velodyne").glob("*.bin"):
        points = pointcloud.read_bin(path)
        assert len(points) > 100_000
        assert remission_scale(points[:, 3]) == 1.0
        assert 50 < np.linalg.norm(points[:, :3], axis=1).max() < 130


def test_a_real_scan_as_pcd_and_ply(shared_data, tmp_path):
    scan = read_bin(shared_data / "kitti_object" / "mmdet3d_demo" / "000008.bin")
    for suffix in ("pcd", "ply"):
        path = tmp_path / f"000008.{suffix}"
        write_cloud(path, scan)
        assert np.array_equal(read_points(path).points, scan)
