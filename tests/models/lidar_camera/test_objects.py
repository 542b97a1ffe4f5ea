"""Which points belong to an object in an image box."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.lidar_camera.objects import foreground, matching_labels, points_in_box


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
    np.testing.assert_array_equal(points_in_box(points, pixels, labels, box, np.array([1])), points[:2, :3])
    nearest = points_in_box(points, pixels, labels, box, np.array([], int))
    np.testing.assert_array_equal(nearest, points[2:3, :3])
    assert len(points_in_box(points, pixels, labels, box + 100, np.array([1]))) == 0
