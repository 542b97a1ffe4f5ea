"""Fusion joins what is there, says what is not, and measures objects in metres."""

import numpy as np
import pytest

from errors import UserError
from nodes.fusion import Fusion
from pipeline.messages import (
    ActionProposal,
    ActionProposals,
    CameraFrame,
    Detections,
    Header,
    InputStatus,
    LidarScan,
    SemanticScan,
    Tracks,
    check_arrays,
)
from pipeline.node import node_signature
from tests.kitti_drive import kitti_frame

F, CU, CV = 100.0, 100.0, 50.0
# LiDAR x forward, y left, z up; camera at the same place, looking forward.
CAMERA = np.array([[CU, -F, 0, 0], [CV, 0, -F, 0], [1, 0, 0, 0]], float)
NAMES = ("unlabelled", "car", "road")
COLORS = ((0, 0, 0), (100, 150, 245), (255, 0, 255))


def scan(points, **header):
    return LidarScan(header=Header(name="000007", seq=7, **header), points=np.asarray(points, np.float32))


def camera(matrix=CAMERA):
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 100:] = (10, 20, 30)
    return CameraFrame(image=image, lidar_to_image=matrix)


def semantics(labels):
    return SemanticScan(labels=np.asarray(labels, np.uint8), class_names=NAMES, class_colors=COLORS)


def detections(boxes, class_ids=(0,), names=("car", "person")):
    K = len(boxes)
    return Detections(
        boxes=np.asarray(boxes, np.float32).reshape(K, 4),
        scores=np.full(K, 0.75, np.float32),
        class_ids=np.asarray(class_ids, np.int32),
        class_names=names,
    )


def fuse(scan, semantics=None, image=None, detections=None, tracks=None, proposals=None, status=()):
    frame = Fusion().process(scan, semantics, image, detections, tracks, proposals, status)
    check_arrays(frame)
    return frame


def car_scene():
    """A car's rear at 10 m (x 10..10.4), a wall at 30 m seen in the same box, road below, something behind us."""
    car = [(10 + 0.1 * i, y, z, 0.3) for i, y in enumerate((-2, -1, 0, 1, 2)) for z in (-1, 0, 1, 2)]
    wall = [(30, y, z, 0.1) for y in (-5, 0, 5) for z in (2, 4)]
    road = [(9.5, y, -1.5, 0.2) for y in (-1, 0, 1)]
    behind = [(-10, 0, 0, 0.2)]
    labels = [1] * len(car) + [0] * len(wall) + [2] * len(road) + [0] * len(behind)
    return scan(car + wall + road + behind), labels, (CU - 25, CV - 25, CU + 25, CV + 16)


def test_is_a_node_whose_primary_input_is_the_scan():
    signature = node_signature(Fusion)
    assert [(i.name, i.optional) for i in signature.inputs] == [
        ("scan", False),
        ("semantics", True),
        ("image", True),
        ("detections", True),
        ("tracks", True),
        ("proposals", True),
    ]
    assert signature.output.__name__ == "FusedFrame"
    assert signature.status_parameter == "status"


def test_a_scan_alone_is_a_frame_without_labels_colours_and_objects():
    status = (InputStatus("semantics", "timeout"), InputStatus("image", "absent"))
    frame = fuse(scan([[1, 2, 3, 0.5]]), status=status)
    assert frame.labels.tolist() == [0]
    assert frame.class_names == ()
    assert frame.colors is None
    assert frame.pixels is None
    assert frame.objects == ()
    assert frame.inputs == status
    assert frame.header.name == "000007"


def test_an_empty_scan_is_fused():
    frame = fuse(scan(np.empty((0, 4))), semantics([]), camera(), detections([[0, 0, 9, 9]]))
    assert frame.points.shape == (0, 4)
    assert frame.pixels.shape == (0, 2)
    assert frame.objects[0].point_count == 0


def test_labels_of_another_scan_are_refused_by_name():
    with pytest.raises(ValueError, match=r"scan 000007 has 2 points but semantics 000008 has 3 labels"):
        Fusion().process(
            scan(np.zeros((2, 4))),
            SemanticScan(
                header=Header(name="000008"), labels=np.zeros(3, np.uint8), class_names=NAMES, class_colors=COLORS
            ),
            None,
            None,
            None,
            None,
            (),
        )


def test_points_get_labels_pixels_and_colours():
    frame = fuse(scan([[10, 5, 0, 0], [10, -5, 0, 0], [-10, 0, 0, 0]]), semantics([1, 2, 1]), camera())
    assert frame.labels.tolist() == [1, 2, 1]
    assert frame.class_names == NAMES
    assert frame.class_colors == COLORS
    np.testing.assert_allclose(frame.pixels[:2], [[50, 50], [150, 50]])
    assert np.isnan(frame.pixels[2]).all()
    assert frame.colors.tolist() == [[0, 0, 0], [10, 20, 30], [0, 0, 0]]


def test_object_distance_and_extent_are_those_of_the_car_not_of_wall_and_road():
    lidar, labels, box = car_scene()
    (found,) = fuse(lidar, semantics(labels), camera(), detections([box])).objects
    car = lidar.points[np.array(labels) == 1, :3]
    assert found.class_name == "car"
    assert found.score == 0.75
    assert found.track_id is None
    assert found.point_count == len(car) == 20
    assert found.distance_m == pytest.approx(np.median(np.linalg.norm(car, axis=1)))
    np.testing.assert_allclose(found.extent_min, car.min(axis=0))
    np.testing.assert_allclose(found.extent_max, car.max(axis=0))


def test_without_semantics_the_wall_behind_does_not_move_the_distance():
    lidar, _, box = car_scene()
    (found,) = fuse(lidar, None, camera(), detections([box])).objects
    assert found.distance_m == pytest.approx(10.2, abs=0.3)
    assert found.extent_max[0] < 11


def test_an_object_without_points_or_without_calibration_has_no_distance():
    lidar, labels, box = car_scene()
    empty = (0, 0, 5, 5)
    nothing_there, no_calibration, no_image = (
        fuse(lidar, semantics(labels), image, detections([b])).objects[0]
        for image, b in ((camera(), empty), (camera(None), box), (None, box))
    )
    for found in (nothing_there, no_calibration, no_image):
        assert (found.distance_m, found.extent_min, found.extent_max, found.point_count) == (None, None, None, 0)


def test_a_missing_calibration_is_said_once(caplog):
    node = Fusion()
    for _ in range(3):
        node.process(scan([[1, 0, 0, 0]]), None, camera(None), None, None, None, ())
    assert len([r for r in caplog.records if "no calibration" in r.message]) == 1


def test_tracks_win_over_detections():
    lidar, labels, box = car_scene()
    tracks = Tracks(
        boxes=np.float32([box, (0, 0, 5, 5)]),
        scores=np.float32([0.5, 0.25]),
        class_ids=np.int32([1, 0]),
        track_ids=np.int32([41, 42]),
        class_names=("person", "car"),
    )
    objects = fuse(lidar, semantics(labels), camera(), detections([box, box], (0, 0)), tracks).objects
    assert [(o.class_name, o.track_id, o.score) for o in objects] == [("car", 41, 0.5), ("person", 42, 0.25)]
    assert objects[0].point_count == 20


def test_proposals_are_those_active_at_the_scan():
    stretches = [(0.0, 2.0), (2.0, 3.0), (1.0, 2.5), (2.5, 4.0)]
    proposals = ActionProposals(proposals=tuple(ActionProposal(s, e, 0.5, True) for s, e in stretches))
    frame = fuse(scan([[1, 0, 0, 0]], stamp_ns=2_000_000_000), proposals=proposals)
    assert [(p.start_s, p.end_s) for p in frame.proposals] == [(2.0, 3.0), (1.0, 2.5)]


def test_an_action_that_reaches_the_newest_snippets_is_going_on():
    """At 20 s the windows have been scored up to 18.5 s; times of a KITTI drive, in seconds after its first frame."""
    begin_ns = 1_317_013_342_000_000_000
    stretches = [(2.0, 15.9), (5.0, 16.0), (5.0, 16.1), (17.9, 18.2), (19.0, 21.0), (20.5, 22.0)]
    proposals = ActionProposals(
        proposals=tuple(ActionProposal(s, e, 0.5, False) for s, e in stretches), begin_ns=begin_ns, open_after_s=16.0
    )
    frame = fuse(scan([[1, 0, 0, 0]], stamp_ns=begin_ns + 20_000_000_000), proposals=proposals)
    found = [(round(p.start_s - begin_ns / 1e9, 3), round(p.end_s - begin_ns / 1e9, 3)) for p in frame.proposals]
    assert found == [(5.0, 16.1), (17.9, 18.2), (19.0, 21.0)]


def test_open_then_process_gives_the_same():
    lidar, labels, box = car_scene()
    node = Fusion()
    node.open()
    frame = node.process(lidar, semantics(labels), camera(), detections([box]), None, None, ())
    assert frame.objects == fuse(lidar, semantics(labels), camera(), detections([box])).objects


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"min_depth_m": 0.0}, "min_depth_m"),
        ({"min_depth_m": float("nan")}, "min_depth_m"),
        ({"occlusion_window_px": -1}, "occlusion_window_px"),
        ({"occlusion_tolerance": 1.5}, "occlusion_tolerance"),
    ],
)
def test_check_names_the_wrong_parameter(params, word):
    with pytest.raises(UserError, match=word):
        Fusion.check(**params)


def test_check_accepts_the_defaults():
    Fusion.check()


def test_on_a_real_drive_the_car_ahead_is_measured(shared_data):
    """Frame 0: the box of the car in front, drawn by hand. The road beyond it and the trees are not its."""
    points, image, matrix = kitti_frame(shared_data, 0)
    found = fuse(
        scan(points), None, CameraFrame(image=image, lidar_to_image=matrix), detections([[555, 195, 705, 330]])
    )
    in_view = np.isfinite(found.pixels[:, 0])
    assert 0.1 < in_view.mean() < 0.2  # the camera sees a fifth of the circle, less what is hidden
    assert (found.points[in_view, 0] > 0).all()
    (car,) = found.objects
    assert 5 < car.distance_m < 15
    assert car.point_count > 100
    width_m = car.extent_max[1] - car.extent_min[1]
    assert 1.4 < width_m < 2.6
