"""Calibration: the composed matrix against points worked out step by step, and against real files."""

import json

import numpy as np
import pytest

from errors import UserError
from formats.calibration import read_odometry, read_raw

RAW_CAMERA = """\
calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_rect_02: 1.242000e+03 3.750000e+02
R_rect_00: 0.8 -0.6 0 0.6 0.8 0 0 0 1
R_rect_02: 1 0 0 0 1 0 0 0 1
P_rect_02: 700 0 600 45 0 700 170 0.2 0 0 1 0.003
"""
RAW_VELO = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: -0.004 -0.07 -0.27\ndelta_f: 0 0\n"


@pytest.fixture
def day(tmp_path):
    (tmp_path / "calib_cam_to_cam.txt").write_text(RAW_CAMERA)
    (tmp_path / "calib_velo_to_cam.txt").write_text(RAW_VELO)
    return tmp_path


def test_raw_matrix_takes_a_point_through_every_frame(day):
    x, y, z = 12.0, 1.5, -0.7
    camera = np.array([-y - 0.004, -z - 0.07, x - 0.27])  # LiDAR to camera 0
    rectified = np.array([0.8 * camera[0] - 0.6 * camera[1], 0.6 * camera[0] + 0.8 * camera[1], camera[2]])
    depth = rectified[2] + 0.003
    pixel = (
        (700 * rectified[0] + 600 * rectified[2] + 45) / depth,
        (700 * rectified[1] + 170 * rectified[2] + 0.2) / depth,
    )
    calibration = read_raw(day, 2)
    assert calibration.image_size == (1242, 375)
    assert calibration.lidar_to_image.shape == (3, 4)
    assert calibration.lidar_to_image.dtype == np.float64
    u, v, w = calibration.lidar_to_image @ [x, y, z, 1]
    assert w == pytest.approx(depth)
    assert (u / w, v / w) == pytest.approx(pixel)


def test_without_one_of_the_files_there_is_no_raw_calibration(day):
    (day / "calib_velo_to_cam.txt").unlink()
    assert read_raw(day, 2) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("P_rect_02: 700", "P_rect_02:", r"calib_cam_to_cam\.txt, line 'P_rect_02:': expected 12 finite numbers"),
        ("P_rect_02", "P_rect_03", r"no line 'P_rect_02:'"),
        ("R_rect_00: 0.8", "R_rect_00: nan", r"line 'R_rect_00:': expected 9 finite"),
        ("R_rect_00: 0.8", "R_rect_00: 0,8", r"line 'R_rect_00:'.*damaged"),
    ],
)
def test_a_damaged_calibration_names_file_and_line(day, old, new, message):
    (day / "calib_cam_to_cam.txt").write_text(RAW_CAMERA.replace(old, new))
    with pytest.raises(UserError, match=message):
        read_raw(day, 2)


def test_odometry_without_tr_or_file_has_no_calibration(tmp_path):
    path = tmp_path / "calib.txt"
    assert read_odometry(path, 2) is None
    path.write_text("P2: 700 0 600 45 0 700 170 0.2 0 0 1 0.003\n")
    assert read_odometry(path, 2) is None
    path.write_text("P0: 700 0 600 45 0 700 170 0.2 0 0 1 0.003\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n")
    with pytest.raises(UserError, match="no line 'P2:'"):
        read_odometry(path, 2)
    assert np.allclose(read_odometry(path, 0).lidar_to_image @ [10, 0, 0, 1], [6045, 1700.2, 10.003])


def test_matrix_of_frame_000008_as_another_project_composed_it(shared_data, tmp_path):
    folder = shared_data / "kitti_object" / "mmdet3d_demo"
    images = json.loads((folder / "000008_info.json").read_text())["data_list"][0]["images"]
    rows = {f"P{camera}": images[f"CAM{camera}"]["cam2img"][:3] for camera in range(4)}
    rows["Tr"] = images["CAM2"]["lidar2cam"][:3]
    path = tmp_path / "calib.txt"
    path.write_text(
        "".join(f"{key}: {' '.join(str(v) for row in matrix for v in row)}\n" for key, matrix in rows.items())
    )
    for camera in range(4):
        expected = np.array(images[f"CAM{camera}"]["lidar2img"])[:3]
        assert np.allclose(read_odometry(path, camera).lidar_to_image, expected, rtol=1e-6, atol=1e-3)
    # This scan was cropped to the view of camera 2: its points lie in the image.
    points = np.fromfile(folder / "000008.bin", np.float32).reshape(-1, 4)
    points[:, 3] = 1
    u, v, depth = read_odometry(path, 2).lidar_to_image @ points.T
    inside = (depth > 0) & (u >= 0) & (u < 1242 * depth) & (v >= 0) & (v < 375 * depth)
    assert inside.mean() > 0.999


def test_real_calibrations_look_forward(shared_data):
    calibrations = [read_raw(shared_data / "kitti_raw" / "2011_09_26", camera) for camera in range(4)]
    for sequence in ("00", "04"):
        path = shared_data / "semantickitti" / "sequences" / sequence / "calib.txt"
        calibrations += [read_odometry(path, camera) for camera in range(4)]
    for calibration in calibrations:
        ahead = np.array([[20.0, 0, -0.7, 1], [20, 5, -0.7, 1], [20, 0, 1.3, 1], [-20, 0, 0, 1]])
        u, v, depth = calibration.lidar_to_image @ ahead.T
        assert np.allclose(depth[:3], 19.7, atol=0.3)
        assert depth[3] < 0
        u, v = u / depth, v / depth
        assert 540 < u[0] < 660
        assert 150 < v[0] < 240
        assert u[1] < u[0], "left in the world is left in the image"
        assert v[2] < v[0], "up in the world is up in the image"
