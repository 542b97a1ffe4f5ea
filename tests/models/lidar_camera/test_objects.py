"""Which points belong to an object in an image box."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.lidar_camera.objects import foreground, foreign_labels, matching_labels, points_in_box

NONE = np.array([], np.intp)


def test_foreground_is_the_nearest_cluster_that_is_large_enough():
    twig, car, wall = [3.0, 3.1], np.linspace(10, 14, 20), np.linspace(30, 31, 40)
    ranges = np.concatenate([wall, car, twig])
    mask = foreground(ranges)
    np.testing.assert_array_equal(np.sort(ranges[mask]), car)


def test_foreground_is_the_largest_cluster_where_all_are_small():
    ranges = np.array([0.0, 5, 10, 10.2, 15, 20, 25, 30, 35, 40, 45])
    np.testing.assert_array_equal(ranges[foreground(ranges)], [10, 10.2])


@given(st.lists(st.floats(0, 120, width=32), min_size=1, max_size=60), st.randoms())
def test_foreground_does_not_depend_on_the_order_and_is_never_empty(ranges, random):
    ranges = np.array(ranges)
    order = list(range(len(ranges)))
    random.shuffle(order)
    mask = foreground(ranges)
    assert mask.any()
    np.testing.assert_array_equal(foreground(ranges[order]), mask[order])


def test_matching_labels_by_name_and_across_label_sets():
    names = ("unlabelled", "car", "person", "other-vehicle", "bicyclist")
    assert list(matching_labels("Car", names)) == [1]
    assert list(matching_labels("Pedestrian", names)) == [2]
    assert list(matching_labels("bus", names)) == [3]
    assert list(matching_labels("traffic light", names)) == []


def test_points_of_the_class_win_but_a_wrong_label_hides_nothing():
    points = np.array([[10, 0, 0, 0], [10.5, 0, 0, 0], [4, 0, 0, 0], [50, 0, 0, 0], [9, 9, 9, 0]], np.float32)
    pixels = np.array([[5, 5], [6, 6], [5, 6], [6, 5], [50, 50]], np.float32)
    labels = np.array([1, 1, 2, 2, 1], np.uint8)
    box = np.array([0, 0, 10, 10], np.float32)
    np.testing.assert_array_equal(points_in_box(points, pixels, labels, box, np.array([1]), NONE), points[:2, :3])
    nearest = points_in_box(points, pixels, labels, box, NONE, NONE)
    np.testing.assert_array_equal(nearest, points[2:3, :3])
    assert len(points_in_box(points, pixels, labels, box + 100, np.array([1]), NONE)) == 0


def test_who_stands_behind_a_car_does_not_get_its_distance():
    names = ("unlabelled", "car", "person", "building")
    points = np.array([[5, 0, 0, 0], [5.1, 0, 0, 0], [16, 0, 0, 0], [16.2, 0, 0, 0], [16.1, 0, 0, 0]], np.float32)
    pixels, box = np.full((5, 2), 5, np.float32), np.array([0, 0, 10, 10], np.float32)
    which = matching_labels("person", names), foreign_labels("person", names)
    behind = points_in_box(points, pixels, np.array([1, 1, 3, 0, 3]), box, *which)  # nobody was labelled a person
    np.testing.assert_array_equal(behind, points[2:, :3])
    assert len(points_in_box(points, pixels, np.array([1, 1, 1, 1, 1]), box, *which)) == 0
    hidden = points_in_box(points, pixels, np.array([1, 1, 2, 3, 3]), box, *which)
    np.testing.assert_array_equal(hidden, points[2:3, :3])


def test_vehicles_may_be_taken_for_each_other_and_people_not_for_vehicles():
    names = ("unlabelled", "car", "truck", "other-vehicle", "person", "bicyclist", "road")
    assert list(foreign_labels("truck", names)) == [4, 5]
    assert list(foreign_labels("Cyclist", names)) == [1, 2, 3]
    assert list(foreign_labels("traffic light", names)) == []
