"""The sensors of a drive agree: measured from its files, as its users would."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from formats import calibration, kitti_tracking
from formats.kitti_tracking import TrackedObject
from simulation.drive import simulate
from simulation.recipe import PERIOD_S, Recipe
from simulation.settings import Settings, StreetSettings
from simulation.street import Street
from simulation.truth.sensors import camera_pose, lidar_pose, moved

FRAMES = 2
BUSY = Settings(street=StreetSettings(district="city"))  # there is always somebody to be seen
EDGE_M = 0.15  # a line of sight from the camera to a point ends this far before it: the point is noisy
FLAT = (40, 44, 48, 50, 51, 60)  # road, parking, sidewalk, building, fence, lane marking


@pytest.fixture(scope="module", params=[1, 7])
def drive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A short drive, and its seed."""
    out = tmp_path_factory.mktemp(f"drive-{request.param}") / "drive"
    simulate(out, Recipe(frames=FRAMES, seed=request.param, settings=BUSY, truth=("instances",)))
    return out, request.param


def scan(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points float64 [N,3], instances and classes [N]."""
    points = np.fromfile(folder / "velodyne" / f"{frame:06d}.bin", np.float32).reshape(-1, 4)
    labels = np.fromfile(folder / "labels" / f"{frame:06d}.label", np.uint32)
    return points[:, :3].astype(float), labels >> 16, labels & 0xFFFF


def objects(folder: Path) -> list[list[dict[str, Any]]]:
    """The entries of objects.jsonl, frame by frame."""
    return [json.loads(line)["objects"] for line in (folder / "objects.jsonl").read_text().splitlines()]


def instance_picture(folder: Path, frame: int) -> np.ndarray:
    return cv2.imread(str(folder / "instances_2" / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED)


def tr(folder: Path) -> np.ndarray:
    """LiDAR to camera 0, from calib.txt."""
    line = next(line for line in (folder / "calib.txt").read_text().splitlines() if line.startswith("Tr:"))
    return np.vstack([np.array(line.split()[1:], float).reshape(3, 4), [0, 0, 0, 1]])


def test_points_fall_on_pixels_of_the_same_instance(drive: tuple[Path, int]) -> None:
    """At least 99 % of the points on objects that the camera sees too, projected with calib.txt.

    A pixel shows what its centre's ray meets, so a point within half a pixel of an outline may be nearest to a pixel
    just beyond it. It must lie between pixels of which one shows its instance; the nearest one does for 97 %. And the
    laser meets an object up to 15 ms before or after the shutter opens: by its speed and the time in objects.jsonl it
    is brought to where it is then.
    """
    folder, seed = drive
    projection = calibration.read_odometry(folder / "calib.txt", 2).lidar_to_image
    street = Street(seed, BUSY)
    nearest, around = [], []
    for frame in range(FRAMES):
        points, instances, _ = scan(folder, frame)
        for entry in objects(folder)[frame]:
            points[instances == entry["track_id"]] -= np.array(entry["velocity_mps"]) * entry["box"]["dt_s"]
        picture = instance_picture(folder, frame)
        image = points @ projection[:, :3].T + projection[:, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = (image[:, :2] / image[:, 2:]).T
        height, width = picture.shape
        within = (instances > 0) & (image[:, 2] > 1.0) & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
        moment = street.moment(frame * PERIOD_S)
        eye = camera_pose(moment, 2)[:3, 3]
        reach = moved(lidar_pose(moment), points[within]) - eye
        reach *= 1 - EDGE_M / np.linalg.norm(reach, axis=1, keepdims=True)
        both = np.flatnonzero(within)[~moment.scene.blocked(np.broadcast_to(eye, reach.shape), reach)]
        u, v, own = u[both], v[both], instances[both]
        nearest.append(picture[np.rint(v).astype(int), np.rint(u).astype(int)] == own)
        floors, ceilings = (tuple(f(a).astype(int) for a in (v, u)) for f in (np.floor, np.ceil))
        corners = [(a, b) for a in (floors[0], ceilings[0]) for b in (floors[1], ceilings[1])]
        around.append(np.any([picture[a, b] == own for a, b in corners], axis=0))
    assert len(np.concatenate(nearest)) > 1000
    assert np.concatenate(around).mean() >= 0.99
    assert np.concatenate(nearest).mean() >= 0.97


def test_boxes_hold_their_points(drive: tuple[Path, int]) -> None:
    """At least 99 % of each drive's points of instances, in the boxes of objects.jsonl and of the tracking labels."""
    folder, _ = drive
    to_camera = tr(folder)
    labels = {(label.frame, label.track_id): label for label in kitti_tracking.read(folder / "label_02" / "0000.txt")}
    in_lidar, in_camera = [], []
    for frame, entries in enumerate(objects(folder)):
        points, instances, _ = scan(folder, frame)
        listed = {entry["track_id"]: entry["box"] for entry in entries}
        assert set(np.unique(instances)) - {0} == {i for i, box in listed.items() if box["lidar_points"]}
        for track_id, box in listed.items():
            own = points[instances == track_id]
            assert len(own) == box["lidar_points"]
            c, s = math.cos(box["yaw"]), math.sin(box["yaw"])
            local = (own - box["centre_m"]) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            in_lidar.append((np.abs(local) <= np.array(box["size_m"]) / 2 + 1e-4).all(1))
            if (frame, track_id) in labels:
                in_camera.append(inside(labels[frame, track_id], moved(to_camera, own)))
    for held in (in_lidar, in_camera):
        assert len(np.concatenate(held)) > 500
        assert np.concatenate(held).mean() >= 0.99


def inside(label: TrackedObject, points: np.ndarray) -> np.ndarray:
    """Which points [N,3] (camera 0) the box of a label holds, by the devkit's definition of the box."""
    h, w, length = label.size_m
    c, s = math.cos(label.rotation_y), math.sin(label.rotation_y)
    x, y, z = ((points - label.location_m) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])).T
    return (abs(x) <= length / 2 + 1e-4) & (y <= 1e-4) & (y >= -h - 1e-4) & (abs(z) <= w / 2 + 1e-4)


def test_boxes_in_the_image_are_the_visible_extent(drive: tuple[Path, int]) -> None:
    """To the pixel, and exactly those who are visible are labelled."""
    folder, _ = drive
    found = {(label.frame, label.track_id): label.box_px for label in kitti_tracking.read(folder / "label_02/0000.txt")}
    extents = {}
    for frame in range(FRAMES):
        picture = instance_picture(folder, frame)
        for track_id in set(picture[picture > 0].tolist()):
            v, u = np.nonzero(picture == track_id)
            extents[frame, track_id] = (u.min(), v.min(), u.max(), v.max())
    assert len(extents) > 10
    assert found == extents


def test_poses_align_scans(drive: tuple[Path, int]) -> None:
    """Registration, point to plane, of each scan with the one before would move it by no more than 2 cm."""
    folder, _ = drive
    to_camera = tr(folder)
    poses = [np.vstack([row.reshape(3, 4), [0, 0, 0, 1]]) for row in np.loadtxt(folder / "poses.txt")]
    rng = np.random.default_rng(0)
    for frame in range(1, FRAMES):
        carried = np.linalg.inv(to_camera) @ np.linalg.inv(poses[frame - 1]) @ poses[frame] @ to_camera
        still, later = near(folder, frame - 1), moved(carried, near(folder, frame))
        points, normals, offsets = matched(still, later, rng)
        assert np.median(np.abs(offsets)) < 0.02
        turn, shift = correction(points, normals, offsets)
        assert np.linalg.norm(shift) < 0.02
        assert np.linalg.norm(turn) < 0.002
        for axis in np.eye(3):  # and a pose that is wrong by 5 cm would be found out
            _, back = correction(*matched(still, later + 0.05 * axis, rng))
            assert -0.065 < back @ axis < -0.035


def correction(points: np.ndarray, normals: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of registration: the small turn [3] (rad) and shift [3] (m) that take points [N,3] to their planes."""
    answer = np.linalg.lstsq(np.hstack([np.cross(points, normals), normals]), offsets)[0]
    return answer[:3], answer[3:]


def near(folder: Path, frame: int) -> np.ndarray:
    """The points of a scan that lie on flat things that stand, up to 40 m away."""
    points, _, classes = scan(folder, frame)
    return points[np.isin(classes, FLAT) & (np.linalg.norm(points, axis=1) < 40.0)]


def matched(
    still: np.ndarray, carried: np.ndarray, rng: np.random.Generator, samples: int = 2500
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some of the ``carried`` points, and the normals of, and signed distances to, the planes of ``still`` there.

    A point 15 cm off lies on something else.
    """
    chosen = carried[rng.permutation(len(carried))[:samples]]
    still = still[np.argsort(still[:, 0])]
    points, normals, offsets = [], [], []
    for point in chosen:
        first, last = np.searchsorted(still[:, 0], (point[0] - 0.6, point[0] + 0.6))
        around = still[first:last][np.abs(still[first:last] - point).max(1) < 0.6]
        if len(around) < 12:
            continue
        centre = around.mean(0)
        spread, axes = np.linalg.eigh(np.cov((around - centre).T))
        offset = axes[:, 0] @ (centre - point)
        if spread[0] < 0.03**2 and spread[1] > 0.12**2 and abs(offset) < 0.15:  # a plane, not a line of one ring
            points.append(point)
            normals.append(axes[:, 0])
            offsets.append(offset)
    return np.array(points), np.array(normals), np.array(offsets)
