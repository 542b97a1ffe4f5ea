"""The sensors of a drive agree: measured from its files, as its users would."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from formats import calibration, kitti_tracking
from formats.kitti_tracking import TrackedObject
from simulation.drive import simulate
from simulation.recipe import Recipe
from simulation.settings import Settings, StreetSettings
from simulation.truth.sensors import moved

SEEDS, FRAMES = (1, 2, 7), 2
BUSY = Settings(street=StreetSettings(district="city", parked=2.0))  # there is always somebody to be seen
HIDDEN_M = 0.3  # what the camera sees so much nearer than a noisy point is something else, before it
FLAT = (40, 44, 48, 50, 51, 60)  # road, parking, sidewalk, building, fence, lane marking


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Short drives by seed."""
    made = {seed: tmp_path_factory.mktemp("drives") / str(seed) for seed in SEEDS}
    for seed, out in made.items():
        simulate(out, Recipe(frames=FRAMES, seed=seed, settings=BUSY, truth=("instances", "depth", "point-times")))
    return made


@pytest.fixture(params=SEEDS)
def drive(request: pytest.FixtureRequest, drives: dict[int, Path]) -> Path:
    """One of them."""
    return drives[request.param]


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


class Projected(NamedTuple):
    """Points on objects, in pixels: bool [N] each. Of the four pixels around a point, and of the nearest of them:

    ``nearest``: that one shows the point's instance; ``around``: some of the four does; ``outline``: not all four do.
    ``moving``: the point's object moves.
    """

    nearest: np.ndarray
    around: np.ndarray
    outline: np.ndarray
    moving: np.ndarray


def projected(folders: Iterable[Path], *, at_shutter: bool, shift_px: tuple[float, float] = (0.0, 0.0)) -> Projected:
    """The points of drives on objects that both sensors see, projected with calib.txt: from the files alone.

    ``at_shutter``: whether points of moving objects are first brought to where they are when the picture is taken, by
    their times and their object's velocity. Points before which all four pixels around show something nearer are left
    out: the LiDAR, 0.3 m away from the camera, looks past what hides them there. ``shift_px``: added to u and v.
    """
    frames = []
    for folder, frame, entries in ((f, k, e) for f in folders for k, e in enumerate(objects(f))):
        projection = calibration.read_odometry(folder / "calib.txt", 2).lidar_to_image
        points, instances, _ = scan(folder, frame)
        times = np.load(folder / "point_times" / f"{frame:06d}.npy")
        assert times.shape == instances.shape
        velocity = np.zeros_like(points)
        for entry in entries:
            velocity[instances == entry["track_id"]] = entry["velocity_mps"]
        image = (points - velocity * times[:, None] * at_shutter) @ projection[:, :3].T + projection[:, 3]
        picture, depth = instance_picture(folder, frame), np.load(folder / "depth_2" / f"{frame:06d}.npz")["depth_m"]
        height, width = picture.shape
        by_both = np.isin(instances, [entry["track_id"] for entry in entries if entry["image_2"]])
        image, own, velocity = (a[by_both & (image[:, 2] > 1.0)] for a in (image, instances, velocity))
        u, v = (image[:, :2] / image[:, 2:] + shift_px).T
        within = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
        u, v, own, far, velocity = (a[within] for a in (u, v, own, image[:, 2], velocity))
        four = [(a(v).astype(int), b(u).astype(int)) for a in (np.floor, np.ceil) for b in (np.floor, np.ceil)]
        same = np.stack([picture[pixel] == own for pixel in four])
        nearer = np.stack([(depth[pixel] > 0) & (depth[pixel] < far - HIDDEN_M) for pixel in four])
        seen = ~(nearer & ~same).all(0)
        nearest = picture[np.rint(v).astype(int), np.rint(u).astype(int)] == own
        frames.append(np.stack([nearest, same.any(0), ~same.all(0), (velocity != 0).any(1)])[:, seen])
    return Projected(*np.concatenate(frames, 1))


def test_points_fall_on_pixels_of_the_same_instance(drives: dict[int, Path]) -> None:
    """At least 99 % of the points on objects that the camera sees too, projected with calib.txt.

    A rendered pixel shows what the one ray through its centre meets; a point between pixels is on its object if one of
    the four around it shows that. The nearest of them need not: where an outline runs between two centres, evenly
    distributed, on average a quarter of the points between the inner centre and the outline are past the middle and so
    nearest to the centre outside. Such misses are told from wrong geometry by being about that quarter, of the points
    at outlines and of no others, and by becoming more if all is shifted by a pixel, to whichever side. The laser meets
    moving things up to 50 ms before or after the shutter opens, so the demand on them is for where they are when it
    does.
    """
    as_measured, at_shutter = (projected(drives.values(), at_shutter=moved_on) for moved_on in (False, True))
    standing, moving = ~as_measured.moving, as_measured.moving
    print(
        f"\nnearest pixel: standing {as_measured.nearest[standing].mean():.2%}, moving as measured "
        f"{as_measured.nearest[moving].mean():.2%}, moving at the shutter's time "
        f"{at_shutter.nearest[at_shutter.moving].mean():.2%}, all at the shutter's time {at_shutter.nearest.mean():.2%}"
    )
    assert len(at_shutter.nearest) > 500
    assert standing.sum() > 200
    assert as_measured.around[standing].mean() >= 0.99
    assert at_shutter.around.mean() >= 0.99
    assert at_shutter.around[at_shutter.moving].mean() >= 0.99
    assert at_shutter.nearest[~at_shutter.outline].all()
    assert np.mean(~at_shutter.nearest) <= 0.45 * np.mean(at_shutter.outline)
    for shift_px in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
        beside = projected(drives.values(), at_shutter=True, shift_px=shift_px)
        assert beside.nearest.mean() < at_shutter.nearest.mean() - 0.002


def test_boxes_hold_their_points(drive: Path) -> None:
    """At least 99 % of each drive's points of instances, in the boxes of objects.jsonl and of the tracking labels."""
    to_camera = tr(drive)
    labels = {(label.frame, label.track_id): label for label in kitti_tracking.read(drive / "label_02" / "0000.txt")}
    in_lidar, in_camera = [], []
    for frame, entries in enumerate(objects(drive)):
        points, instances, _ = scan(drive, frame)
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
        assert len(np.concatenate(held)) > 200
        assert np.concatenate(held).mean() >= 0.99


def inside(label: TrackedObject, points: np.ndarray) -> np.ndarray:
    """Which points [N,3] (camera 0) the box of a label holds, by the devkit's definition of the box."""
    h, w, length = label.size_m
    c, s = math.cos(label.rotation_y), math.sin(label.rotation_y)
    x, y, z = ((points - label.location_m) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])).T
    return (abs(x) <= length / 2 + 1e-4) & (y <= 1e-4) & (y >= -h - 1e-4) & (abs(z) <= w / 2 + 1e-4)


def test_boxes_in_the_image_are_the_visible_extent(drive: Path) -> None:
    """To the pixel, and exactly those who are visible are labelled."""
    found = {(label.frame, label.track_id): label.box_px for label in kitti_tracking.read(drive / "label_02/0000.txt")}
    extents = {}
    for frame in range(FRAMES):
        picture = instance_picture(drive, frame)
        for track_id in set(picture[picture > 0].tolist()):
            v, u = np.nonzero(picture == track_id)
            extents[frame, track_id] = (u.min(), v.min(), u.max(), v.max())
    assert len(extents) > 10
    assert found == extents


def test_poses_align_scans(drive: Path) -> None:
    """Registration, point to plane, of each scan with the one before would move it by no more than 2 cm."""
    to_camera = tr(drive)
    poses = [np.vstack([row.reshape(3, 4), [0, 0, 0, 1]]) for row in np.loadtxt(drive / "poses.txt")]
    rng = np.random.default_rng(0)
    for frame in range(1, FRAMES):
        carried = np.linalg.inv(to_camera) @ np.linalg.inv(poses[frame - 1]) @ poses[frame] @ to_camera
        still, later = near(drive, frame - 1), moved(carried, near(drive, frame))
        points, normals, offsets = matched(still, later, rng)
        assert np.median(np.abs(offsets)) < 0.02
        turn, shift = correction(points, normals, offsets)
        assert np.linalg.norm(shift) < 0.02
        assert np.linalg.norm(turn) < 0.002
        for axis in np.eye(3):  # and a pose that is wrong by 5 cm would be found out
            _, back = correction(*matched(still, later + 0.05 * axis, rng))
            assert -0.065 < back @ axis < -0.035


def test_open3d_registers_scans_where_the_poses_put_them(drive: Path) -> None:
    """Its point-to-plane ICP, begun 30 cm and 1 degree beside the pose of the file, comes back to within 2 cm of it."""
    o3d = pytest.importorskip("open3d")
    registration = o3d.pipelines.registration
    to_camera = tr(drive)
    poses = [np.vstack([row.reshape(3, 4), [0, 0, 0, 1]]) for row in np.loadtxt(drive / "poses.txt")]
    pose = np.linalg.inv(to_camera) @ np.linalg.inv(poses[0]) @ poses[1] @ to_camera
    clouds = [o3d.geometry.PointCloud(o3d.utility.Vector3dVector(near(drive, frame))) for frame in (0, 1)]
    clouds[0].estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=0.8, max_nn=40))
    begin = np.eye(4)
    begin[:2, :2] = [[math.cos(0.017), -math.sin(0.017)], [math.sin(0.017), math.cos(0.017)]]
    begin[:2, 3] = 0.2, -0.22
    loss = registration.TukeyLoss(0.2)
    to_plane = registration.TransformationEstimationPointToPlane(loss)
    found = registration.registration_icp(clouds[1], clouds[0], 0.6, begin @ pose, to_plane).transformation
    error = np.linalg.inv(pose) @ found
    assert np.linalg.norm(error[:3, 3]) < 0.02
    assert abs(math.asin(error[1, 0])) < 0.002


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
