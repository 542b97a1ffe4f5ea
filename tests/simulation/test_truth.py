"""Visibility, boxes and labels against brute force and geometry by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.kitti_tracking import TrackedObject
from simulation import rig
from simulation.scene import Placed
from simulation.truth import boxes, objects, tracking, visibility
from simulation.truth.sensors import camera_pose
from tests.support.small_street import (
    LEVEL_CAMERA,
    LEVEL_HEIGHT_M,
    LEVEL_LIDAR,
    actor,
    car_box,
    covered,
    look,
    moment,
    pose,
)

W, H = rig.KITTI_OPTICS[:2]
V, U = (grid.ravel() for grid in np.mgrid[:H, :W])
WIDE_V, WIDE_U = (grid.ravel() for grid in np.mgrid[-H : 2 * H : 5, -W : 2 * W : 5])  # for shares, not for counts


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    return U[mask].min(), V[mask].min(), U[mask].max(), V[mask].max()


def agree(found: float, exact: float) -> bool:
    return abs(found - exact) < 0.02


@pytest.mark.parametrize("camera", [2, 3])
def test_visibility_of_three_bodies_equals_brute_force(camera: int) -> None:
    """One near, one partly behind it, one cut by the image's border: pixels, boxes and shares are known."""
    near = Placed(car_box(40001), pose(13.0, 0.4, yaw=0.3))
    behind = Placed(car_box(40002), pose(24.0, -1.9, yaw=-0.2))
    cut = Placed(car_box(40003), pose(7.0, 5.2, yaw=0.1))
    at = moment([actor(40001 + k, placed) for k, placed in enumerate((near, behind, cut))])
    hits = look(at, camera)
    seen = visibility.measure(at, hits, camera)
    alone = {i: covered(at, placed, U, V, camera) for i, placed in ((40001, near), (40002, behind), (40003, cut))}
    visible = {**alone, 40002: alone[40002] & ~alone[40001]}
    assert list(seen) == [40001, 40002, 40003]
    for i, found in seen.items():
        assert found.box_px == extent(visible[i])
        assert abs(found.pixels - visible[i].sum()) <= 3  # rays through an edge may go either way
        assert agree(found.occlusion, 1 - visible[i].sum() / alone[i].sum())
    assert 0.2 < seen[40002].occlusion < 0.8
    whole = covered(at, cut, WIDE_U, WIDE_V, camera)
    inside = (WIDE_U >= 0) & (WIDE_U < W) & (WIDE_V >= 0) & (WIDE_V < H)
    assert agree(seen[40003].truncation, 1 - whole[inside].mean() * inside.sum() / whole.sum())
    assert 0.1 < seen[40003].truncation < 0.9
    assert seen[40001].truncation == seen[40002].truncation == 0.0
    instances = visibility.instance_image(at, hits)
    assert instances.dtype == np.uint16
    for i, mask in visible.items():
        assert np.count_nonzero((instances.ravel() == i) != mask) <= 3


@settings(max_examples=15, deadline=None)
@given(x=st.floats(-2.0, 12.0), y=st.floats(-7.0, 7.0), yaw=st.floats(-3.1, 3.1))
def test_silhouettes_hold_for_bodies_beside_and_around_the_camera(x: float, y: float, yaw: float) -> None:
    placed = Placed(car_box(5, (9.0, 2.2, 3.0)), pose(x, y, yaw=yaw))
    at = moment([actor(5, placed)])
    u, v = visibility.silhouette(at.actors[0], camera_pose(at, 2))
    everywhere = covered(at, placed, WIDE_U, WIDE_V)
    inside = everywhere & (WIDE_U >= 0) & (WIDE_U < W) & (WIDE_V >= 0) & (WIDE_V < H)
    if everywhere.sum() > 300 and np.ptp(WIDE_U[everywhere]) > 50:  # a strip may fall between two columns of the grid
        found = np.mean((u >= 0) & (u < W) & (v >= 0) & (v < H))
        assert found == pytest.approx(inside.sum() / everywhere.sum(), abs=0.03)
        assert covered(at, placed, u, v).mean() > 0.99


def test_unseen_actors_are_not_listed_and_labels_and_depths_are_those_of_the_surface() -> None:
    wall = Placed(car_box(7, (1.0, 12.0, 4.0)), pose(10.0))
    hidden = Placed(car_box(8), pose(20.0))
    at = moment([actor(7, wall), actor(8, hidden)], ego=LEVEL_CAMERA)
    hits = look(at)
    seen = visibility.measure(at, hits)
    assert list(seen) == [7]
    assert seen[7].occlusion == pytest.approx(0.0, abs=0.01)
    depth, labels = visibility.depth_image(hits), visibility.label_image(at, hits)
    assert depth.shape == (H, W)
    assert depth.dtype == np.float32
    on_wall = visibility.instance_image(at, hits) == 7
    np.testing.assert_allclose(depth[on_wall], 9.5, atol=1e-4)  # flat and square to the optical axis
    assert (labels[on_wall] == 10).all()
    assert depth[0, 0] == 0.0
    assert labels[0, 0] == 0


# 3-D boxes

AHEAD = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)  # camera axes to x forward, z up


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(-60, 60), y=st.floats(-60, 60), yaw=st.floats(-3.1, 3.1), pitch=st.floats(-0.15, 0.15),
    ego_yaw=st.floats(-3.1, 3.1), ego_pitch=st.floats(-0.05, 0.05), dt=st.floats(-0.05, 0.05),
    compensated=st.booleans(),
)  # fmt: skip
def test_boxes_hold_the_body_where_the_laser_meets_it(
    x: float, y: float, yaw: float, pitch: float, ego_yaw: float, ego_pitch: float, dt: float, compensated: bool
) -> None:
    placed = Placed(car_box(9), pose(x, y, 0.3, yaw, pitch), np.array([14.0, -3.0, 0.2]), yaw_rate_radps=0.6)
    at = moment([actor(9, placed)], ego=pose(2.0, 1.0, 0.1, ego_yaw, ego_pitch))
    measured = boxes.measure(at, np.full(3, 9 << 16 | 252, np.uint32), np.full(3, dt), compensated=compensated)[9]
    assert measured.lidar_points == 3
    assert measured.dt_s == dt
    lidar = at.ego(np.array([0.0 if compensated else dt]))[0] @ rig.LIDAR_TO_VEHICLE
    now = np.linalg.inv(lidar) @ placed.pose_at(dt)
    require_tight(measured.in_lidar, placed, now)
    require_tight(measured.in_camera, placed, AHEAD @ rig.LIDAR_TO_CAMERA @ now)


def require_tight(found: boxes.Box3d, placed: Placed, now: np.ndarray) -> None:
    """The box holds the body at pose ``now`` in the box's frame, and no smaller one does."""
    vertices = placed.body.mesh.vertices @ now[:3, :3].T + now[:3, 3]
    assert boxes.holds(found, vertices).all()
    tight = found._replace(size_m=tuple(s - 2 * boxes.MARGIN_M + 1e-6 for s in found.size_m))
    assert boxes.holds(tight, vertices).all()
    for axis in range(3):  # and on each side a vertex touches the box without its margin
        size = list(tight.size_m)
        size[axis] -= 1e-3
        assert not boxes.holds(tight._replace(size_m=tuple(size)), vertices).all()
    ahead = now[:3, :3] @ (1.0, 0.0, 0.0)
    assert math.cos(found.yaw) * ahead[0] + math.sin(found.yaw) * ahead[1] > 0.98


def test_a_box_holds_its_body_from_the_first_of_its_points_to_the_last() -> None:
    placed = Placed(car_box(9), pose(4.0, 3.0), np.array([-15.0, 0.0, 0.0]))
    times = np.array([0.02, 0.01, 0.012])
    at = moment([actor(9, placed)], ego=LEVEL_LIDAR)
    found = boxes.measure(at, np.full(3, 9 << 16, np.uint32), times)[9]
    np.testing.assert_allclose(found.in_lidar.size_m, np.array([4.0 + 15.0 * 0.01, 1.8, 1.5]) + 2 * boxes.MARGIN_M)
    assert found.in_lidar.centre_m[0] == pytest.approx(4.0 - 15.0 * 0.015)
    assert found.dt_s == 0.012


def test_an_actor_that_no_pulse_meets_has_its_box_at_the_moment_itself() -> None:
    at = moment([actor(9, Placed(car_box(9), pose(30.0, 2.0), np.array([10.0, 0, 0])))], ego=LEVEL_LIDAR)
    found = boxes.measure(at, np.zeros(0, np.uint32), np.zeros(0, np.float32), seen={9})[9]
    assert (found.lidar_points, found.dt_s) == (0, 0.0)
    np.testing.assert_allclose(found.in_lidar.centre_m, (30.0, 2.0, 0.75 - LEVEL_HEIGHT_M), atol=1e-9)
    np.testing.assert_allclose(found.in_lidar.size_m, np.array([4.0, 1.8, 1.5]) + 2 * boxes.MARGIN_M)


def test_nobody_in_sight_is_no_box_and_an_empty_line() -> None:
    at = moment([actor(9, Placed(car_box(9), pose(30.0, 2.0)))])
    assert boxes.measure(at, np.full(4, 40, np.uint32), np.zeros(4, np.float32)) == {}
    assert json.loads(objects.line(0, at, {2: {}}, {}))["objects"] == []


# KITTI's conventions


def tracked_at(x: float, y: float, yaw: float) -> TrackedObject:
    """The label of a car at (x, y) metres ahead and to the left of camera 0, which is level."""
    at = moment([actor(3, Placed(car_box(3), pose(x, y, yaw=yaw)))], ego=LEVEL_CAMERA)
    box = boxes.measure(at, np.zeros(0, np.uint32), np.zeros(0), seen={3})[3].in_camera
    return tracking.tracked(4, "car", 3, visibility.Seen(100, (10, 20, 30, 40), 0.0, 0.0), box)


@pytest.mark.parametrize(
    ("yaw", "rotation_y"),
    [(0.0, -math.pi / 2), (-math.pi / 2, 0.0), (math.pi, math.pi / 2), (math.pi / 2, math.pi)],
    ids=["away", "right", "towards", "left"],
)
def test_headings_of_a_car_straight_ahead(yaw: float, rotation_y: float) -> None:
    """The devkit's readme: rotation_y is 0 along the camera's x, to the right, and grows clockwise from above."""
    label = tracked_at(20.0, 0.0, yaw)
    assert math.remainder(label.rotation_y - rotation_y, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)
    assert math.remainder(label.alpha - label.rotation_y, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(label.location_m, (0.0, LEVEL_HEIGHT_M + boxes.MARGIN_M, 20.0), atol=1e-9)


@given(bearing=st.floats(-1.2, 1.2), yaw=st.floats(-3.1, 3.1), range_m=st.floats(3.0, 60.0))
@settings(max_examples=40, deadline=None)
def test_alpha_is_the_heading_against_the_line_of_sight(bearing: float, yaw: float, range_m: float) -> None:
    """Carried around camera 0 with its heading, a car looks the same, so alpha stays."""
    ahead = tracked_at(range_m, 0.0, yaw)
    aside = tracked_at(range_m * math.cos(bearing), range_m * math.sin(bearing), yaw + bearing)
    assert math.remainder(aside.alpha - ahead.alpha, 2 * math.pi) == pytest.approx(0.0, abs=1e-6)
    assert -math.pi <= aside.alpha <= math.pi
    assert -math.pi <= aside.rotation_y <= math.pi


def test_the_devkits_corners_are_the_corners_of_the_box() -> None:
    """computeBox3D of the devkit: turn about y by rotation_y, corners ±l/2, 0 or -h, ±w/2, then the location."""
    label = tracked_at(14.0, -3.0, 0.7)
    h, w, length = label.size_m
    c, s = math.cos(label.rotation_y), math.sin(label.rotation_y)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    corners = [
        turn @ (a * length / 2, -b * h, d * w / 2) + label.location_m for a in (1, -1) for b in (0, 1) for d in (1, -1)
    ]
    c, s = math.cos(0.7), math.sin(0.7)
    half = np.array([2.0, 0.9]) + boxes.MARGIN_M
    by_hand = []
    for a in (1, -1):
        for z in (-boxes.MARGIN_M - LEVEL_HEIGHT_M, 1.5 + boxes.MARGIN_M - LEVEL_HEIGHT_M):
            for d in (1, -1):  # to the left of the car first
                x, y = np.array([14.0, -3.0]) + np.array([[c, -s], [s, c]]) @ (half * (a, d))
                by_hand.append((-y, -z, x))
    np.testing.assert_allclose(corners, by_hand, atol=1e-9)


@pytest.mark.parametrize(
    ("occlusion", "truncation", "levels"),
    [(0.0, 0.0, (0, 0)), (0.1, 0.15, (0, 0)), (0.11, 0.16, (1, 1)), (0.51, 0.51, (2, 2)), (0.95, 0.99, (3, 2))],
)
def test_levels_of_occlusion_and_truncation(occlusion: float, truncation: float, levels: tuple[int, int]) -> None:
    box = boxes.Box3d((10.0, 0.0, 0.0), (4.0, 2.0, 1.5), 0.0)
    label = tracking.tracked(0, "van", 1, visibility.Seen(1, (0, 0, 0, 0), occlusion, truncation), box)
    assert (label.occluded, label.truncated) == levels
    assert label.type == "Van"


def test_the_files_lines_list_who_is_seen_by_whom() -> None:
    """Camera: its labels. LiDAR or camera: objects.jsonl. Neither: nowhere."""
    ids = {"camera": 11, "lidar": 12, "neither": 13}
    places = {11: pose(15.0, 1.0), 12: pose(-20.0, 3.0), 13: pose(-40.0, 3.0)}
    velocity = np.array([3.0, 4.0, 0.0])
    actors = [actor(i, Placed(car_box(i), places[i], velocity), "bus" if i == 11 else "pedestrian") for i in places]
    at = moment(actors, t_s=0.7)
    seen = visibility.measure(at, look(at))
    solid = boxes.measure(at, np.full(6, ids["lidar"] << 16 | 30, np.uint32), np.full(6, -0.05, np.float32), seen=seen)
    assert solid.keys() == {11, 12}
    (line,) = tracking.lines(7, at, seen, solid)
    fields = line.split()
    assert fields[:5] == ["7", "11", "Misc", "0", "0"]
    assert [float(f) for f in fields[6:10]] == list(seen[11].box_px)
    assert len(fields) == 17
    text = objects.line(7, at, {2: seen, 3: {}}, solid)
    frame = json.loads(text)
    assert (frame["frame"], frame["t_s"]) == (7, 0.7)
    assert [(o["track_id"], o["kind"], o["box"]["lidar_points"]) for o in frame["objects"]] == [
        (11, "bus", 0),
        (12, "pedestrian", 6),
    ]
    assert [o["image_2"] is None for o in frame["objects"]] == [False, True]
    assert [o["image_3"] for o in frame["objects"]] == [None, None]
    assert frame["objects"][0]["speed_mps"] == 5.0
    assert list(objects.sightings([text])) == [objects.Sighting(7, 11, seen[11].pixels)]
