"""Both layouts on disk: the project's readers and pykitti find the same scans, pictures, poses and calibration."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from formats import kitti_tracking, recording
from formats.labels import read_labels
from simulation import drive, rig
from simulation.folder import DriveFolder
from simulation.layouts import oxts
from simulation.layouts.raw import DATE
from simulation.recipe import LEFT, RIGHT, Recipe
from simulation.settings import Settings, changed
from simulation.street import Street
from tests.support.small_street import LEVEL_LIDAR

SEED, FRAMES = 12345, 2
BUSY = changed(Settings(), ["street.district=city", "traffic.vehicles=2"])  # somebody is in sight, whatever the seed
ODOMETRY = Recipe(frames=FRAMES, seed=SEED, settings=BUSY, cameras=(LEFT,))
RAW = Recipe(frames=FRAMES, seed=SEED, settings=BUSY, cameras=(LEFT, RIGHT), layout="raw")


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``sequences/00`` with its poses where pykitti looks for them."""
    out = tmp_path_factory.mktemp("odometry") / "sequences" / "00"
    drive.simulate(out, ODOMETRY)
    poses = out.parent.parent / "poses"
    poses.mkdir()
    os.link(out / "poses.txt", poses / "00.txt")
    return out


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raw")
    drive.simulate(out, RAW)
    return out


@pytest.fixture(scope="module")
def lidar_poses() -> list[np.ndarray]:
    street = Street(SEED, BUSY)
    return [street.lidar_pose(k * 0.1) for k in range(FRAMES)]


def test_our_readers_find_the_same_in_both(sequence: Path, raw: Path) -> None:
    drive_folder = DriveFolder(raw, RAW).root
    assert drive_folder.name == f"{DATE}_drive_2345_sync"
    for read in (recording.lidar_frames, lambda *args: recording.camera_frames(args[0], LEFT, args[1])):
        ours, theirs = read(sequence, 10.0), read(drive_folder, 10.0)
        assert [p.read_bytes() for p in ours.files] == [p.read_bytes() for p in theirs.files]
        assert ours.notes == theirs.notes == []
        assert np.diff(ours.stamps_ns).tolist() == np.diff(theirs.stamps_ns).tolist() == [100_000_000]
        if ours.calibration is not None:
            np.testing.assert_allclose(ours.calibration.lidar_to_image, theirs.calibration.lidar_to_image, atol=1e-9)
            assert theirs.calibration.image_size == rig.KITTI_OPTICS[:2]
    for k in range(FRAMES):
        theirs = drive_folder / "labels" / f"{k:010d}.label"
        assert theirs.read_bytes() == (sequence / "labels" / f"{k:06d}.label").read_bytes()
        points = (drive_folder / "velodyne_points" / "data" / f"{k:010d}.bin").stat().st_size // 16
        read_labels(theirs, points)
    for name in ("poses.txt", "label_02/0000.txt", "actions.json"):
        assert (drive_folder / name).read_bytes() == (sequence / name).read_bytes()


def test_each_camera_has_its_labels_and_what_it_sees(sequence: Path, raw: Path) -> None:
    """3-D boxes are those of camera 0 whichever camera sees the thing; 2-D boxes are the camera's own."""
    drive_folder = DriveFolder(raw, RAW).root
    labels = {
        camera: {(label.frame, label.track_id): label for label in kitti_tracking.read(path)}
        for camera in (LEFT, RIGHT)
        for path in [drive_folder / f"label_0{camera}" / "0000.txt"]
    }
    both = labels[LEFT].keys() & labels[RIGHT].keys()
    assert len(both) > 5
    for key in both:
        left, right = labels[LEFT][key], labels[RIGHT][key]
        assert (left.size_m, left.location_m, left.rotation_y) == (right.size_m, right.location_m, right.rotation_y)
        assert left.location_m[2] > 80 or left.box_px != right.box_px
    entries, left_only = (
        [json.loads(line)["objects"] for line in (folder / "objects.jsonl").read_text().splitlines()]
        for folder in (drive_folder, sequence)
    )
    for camera in (LEFT, RIGHT):
        seen = {
            (k, entry["track_id"]): tuple(view["box_px"])
            for k, frame in enumerate(entries)
            for entry in frame
            if (view := entry[f"image_{camera}"]) is not None
        }
        assert seen == {key: label.box_px for key, label in labels[camera].items()}
    of_left = [
        [{k: v for k, v in e.items() if k != "image_3"} for e in frame if e["image_2"] or e["box"]["lidar_points"]]
        for frame in entries
    ]
    assert of_left == left_only
    assert not (sequence / "label_03").exists()


def test_calib_txt_takes_points_to_the_rigs_pixels(sequence: Path) -> None:
    points = np.random.default_rng(1).uniform((4, -3, -1), (40, 3, 2), (50, 3))
    pixels, depth = rig.project(points)
    calibration = recording.camera_frames(sequence, LEFT, 10.0).calibration
    image = np.c_[points, np.ones(50)] @ calibration.lidar_to_image.T
    np.testing.assert_allclose(image[:, :2] / image[:, 2:], pixels, atol=1e-6)
    np.testing.assert_allclose(image[:, 2], depth, atol=1e-9)


def test_camera_directions_invert_the_projection() -> None:
    u, v = np.array([0.0, 609.5593, 1241.0]), np.array([10.0, 172.854, 374.0])
    centre, directions = rig.pixel_rays(u, v)
    pixels, depth = rig.project(centre + 17.0 * directions)
    np.testing.assert_allclose(pixels, np.stack([u, v], 1), atol=1e-9)
    assert (depth > 0).all()


def test_pykitti_reads_the_sequence(sequence: Path, lidar_poses: list[np.ndarray]) -> None:
    pykitti = pytest.importorskip("pykitti")
    data = pykitti.odometry(str(sequence.parent.parent), "00")
    assert len(data) == FRAMES
    assert data.timestamps == [timedelta(0), timedelta(seconds=0.1)]
    assert data.get_velo(1).shape == ((sequence / "velodyne/000001.bin").stat().st_size // 16, 4)
    assert data.get_cam2(0).size == rig.KITTI_OPTICS[:2]
    tr = data.calib.T_cam0_velo
    for k in range(FRAMES):
        moved = np.linalg.inv(lidar_poses[0]) @ lidar_poses[k]
        np.testing.assert_allclose(np.linalg.inv(tr) @ data.poses[k] @ tr, moved, atol=1e-9)
    assert data.calib.b_rgb == pytest.approx(0.54)


def test_pykitti_reads_the_raw_drive(raw: Path, lidar_poses: list[np.ndarray]) -> None:
    pykitti = pytest.importorskip("pykitti")
    data = pykitti.raw(str(raw), DATE, "2345")
    assert len(data) == FRAMES
    assert data.timestamps[1] - data.timestamps[0] == timedelta(seconds=0.1)
    assert data.get_velo(0).shape[1] == 4
    left, right = data.get_rgb(1)
    assert left.size == right.size == rig.KITTI_OPTICS[:2]
    assert data.calib.b_rgb == pytest.approx(0.54)
    np.testing.assert_allclose(data.calib.T_velo_imu, rig.IMU_TO_LIDAR, atol=1e-9)
    np.testing.assert_allclose(data.calib.P_rect_20, rig.projection(2), atol=1e-9)
    first = lidar_poses[0] @ rig.IMU_TO_LIDAR
    for k in range(FRAMES):
        imu = lidar_poses[k] @ rig.IMU_TO_LIDAR
        np.testing.assert_allclose(data.oxts[k].T_w_imu[:3, :3], imu[:3, :3], atol=1e-9)
        np.testing.assert_allclose(data.oxts[k].T_w_imu[:3, 3], imu[:3, 3] - first[:3, 3], atol=1e-4)
    packet, step = data.oxts[0].packet, lidar_poses[1][:2, 3] - lidar_poses[0][:2, 3]
    assert np.hypot(packet.vf, packet.vl) == pytest.approx(np.linalg.norm(step) / 0.1, abs=0.3)


def test_a_turn_begins_and_ends_around_its_stamp(raw: Path) -> None:
    folder = DriveFolder(raw, RAW).root / "velodyne_points"
    stamps = {}
    for name in ("timestamps_start", "timestamps", "timestamps_end"):
        lines = (folder / f"{name}.txt").read_text().splitlines()
        assert len(lines) == FRAMES
        stamps[name] = [datetime.fromisoformat(line[:26]) for line in lines]
    for start, middle, end in zip(*stamps.values(), strict=True):
        assert middle - start == end - middle == timedelta(seconds=0.05)


def circling(radius_m: float, rate_radps: float) -> Callable[[np.ndarray], np.ndarray]:
    """An ego vehicle that drives a circle to the left, eastwards at first, its LiDAR and inertial unit level."""

    def ego(dt_s: np.ndarray) -> np.ndarray:
        poses = np.tile(np.eye(4), (len(dt_s), 1, 1))
        for pose, angle in zip(poses, rate_radps * dt_s, strict=True):
            pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            pose[:2, 3] = radius_m * np.sin(angle), radius_m * (1 - np.cos(angle))
        return poses @ LEVEL_LIDAR

    return ego


def test_a_packet_of_a_circle_has_the_circles_velocity_rate_and_acceleration() -> None:
    values = dict(
        zip(
            (line.split(":")[0] for line in oxts.DATA_FORMAT.splitlines()),
            map(float, oxts.packet_text(circling(20.0, 0.5)).split()),
            strict=True,
        )
    )
    to_unit = 20.0 - rig.IMU_TO_LIDAR[1, 3]  # its circle is smaller: it sits left of the vehicle's middle
    assert values["vf"] == pytest.approx(0.5 * to_unit, abs=1e-2)
    assert values["vl"] == pytest.approx(0.5 * rig.IMU_TO_LIDAR[0, 3], abs=1e-2)
    assert values["ve"] == pytest.approx(values["vf"])
    assert values["vn"] == pytest.approx(values["vl"])
    assert values["wz"] == values["wu"] == pytest.approx(0.5, abs=1e-4)
    assert values["al"] == pytest.approx(0.25 * to_unit, abs=1e-2)
    assert values["az"] == pytest.approx(9.81)
    assert [values["yaw"], values["roll"], values["pitch"]] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_places_go_through_the_devkits_mercator_and_back() -> None:
    """The development kit's latlonToMercator, here written out; see the paper's Sec. IV."""
    scale, radius = np.cos(np.radians(oxts.LATITUDE_DEG)), 6378137.0
    for place in ((0.0, 0.0, 0.0), (1234.5, -987.6, 12.0)):
        latitude, longitude, altitude = oxts.geodetic(np.array(place))
        east = scale * radius * np.radians(longitude - oxts.LONGITUDE_DEG)
        north = scale * radius * np.log(np.tan(np.radians(90 + latitude) / 2))
        north -= scale * radius * np.log(np.tan(np.radians(90 + oxts.LATITUDE_DEG) / 2))
        np.testing.assert_allclose((east, north, altitude - oxts.ALTITUDE_M), place, atol=1e-6)
