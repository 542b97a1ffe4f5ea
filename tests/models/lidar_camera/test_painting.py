"""Painting against a slow reference, and against what a camera must see of a known scene."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lidar_camera.painting import paint_points

CAMERA = np.array([[20.0, -50.0, 0.0, 1.0], [15.0, 0.0, -50.0, 2.0], [1.0, 0.0, 0.0, -0.25]])


def reference(points, image, matrix, min_depth_m, window, tolerance):
    """The definition in paint_points' docstring, every point against every other."""
    H, W = image.shape[:2]
    with np.errstate(all="ignore"):
        homogeneous = np.column_stack([points[:, :3].astype(np.float64), np.ones(len(points))]) @ matrix.T
    depth = homogeneous[:, 2]
    with np.errstate(all="ignore"):
        pixels = (homogeneous[:, :2] / depth[:, None]).astype(np.float32)
    cell = np.floor(pixels.astype(np.float64) + 0.5)
    in_image = (cell >= 0).all(1) & (cell[:, 0] < W) & (cell[:, 1] < H) & (depth >= min_depth_m) & np.isfinite(depth)
    candidates = np.flatnonzero(in_image)
    colors = np.zeros((len(points), 3), np.uint8)
    result = np.full((len(points), 2), np.nan, np.float32)
    for i in candidates:
        close = (np.abs(cell[candidates] - cell[i]) <= window).all(1)
        if (depth[candidates][close].astype(np.float32) < float(np.float32(depth[i])) * (1 - tolerance)).any():
            continue
        result[i] = pixels[i]
        colors[i] = image[int(cell[i, 1]), int(cell[i, 0])]
    return result, colors


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 150),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    window=st.integers(0, 4),
    tolerance=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_agrees_with_the_definition(seed, count, size, window, tolerance):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, [8, 2, 2, 1], (count, 4)).astype(np.float32) + np.float32([4, 0, 0, 0])
    points[rng.random(count) < 0.05, rng.integers(0, 3)] = rng.choice([np.nan, np.inf, -np.inf, 1e30])
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    pixels, colors = paint_points(
        points, image, CAMERA, min_depth_m=0.5, occlusion_window_px=window, occlusion_tolerance=tolerance
    )
    expected_pixels, expected_colors = reference(points, image, CAMERA, 0.5, window, tolerance)
    np.testing.assert_allclose(pixels, expected_pixels, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(colors, expected_colors)


def test_colour_is_the_nearest_pixel_and_pixel_centres_are_whole_numbers():
    identity = np.eye(3, 4)  # pixel = (x / z, y / z), depth = z
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    wanted = {(0.49, 0.0): (0, 0), (0.51, 0.0): (0, 1), (2.49, 1.49): (1, 2), (-0.5, -0.5): (0, 0)}
    for (u, v), (row, column) in wanted.items():
        pixels, colors = paint_points(np.array([[u, v, 1, 0]], np.float32), image, identity)
        np.testing.assert_allclose(pixels[0], (u, v), rtol=1e-6)
        assert tuple(colors[0]) == tuple(image[row, column])


@pytest.mark.parametrize("point", [(2.51, 0, 1), (0, 1.51, 1), (-0.51, 0, 1), (0, -0.51, 1), (0, 0, 0.49), (0, 0, -1)])
def test_outside_the_image_or_behind_the_camera_is_nan_and_black(point):
    pixels, colors = paint_points(np.array([point], np.float32), np.full((2, 3, 3), 9, np.uint8), np.eye(3, 4))
    assert np.isnan(pixels).all()
    assert (colors == 0).all()


def test_a_point_on_the_very_edge_of_float32_stays_in_the_image():
    edge = np.nextafter(np.float32(1241.5), np.float32(0))
    image = np.full((375, 1242, 3), 7, np.uint8)
    rows = np.array([[edge, 374.4999999, 1, 0], [1241.4999999, 0, 1, 0]], np.float32)
    pixels, colors = paint_points(rows, image, np.eye(3, 4))
    in_view = np.isfinite(pixels[:, 0])
    assert (colors[in_view] == 7).all()
    assert (colors[~in_view] == 0).all()


def test_the_wall_behind_a_car_does_not_take_the_cars_colour():
    """Rows 5 pixels apart on a car at 10 m: points of the wall at 20 m are hidden between them, but not beside it."""
    f = 100.0
    camera = np.array([[f, 0, 0, 0], [0, f, 0, 0], [0, 0, 1, 0]], float)
    car = [(u * 10 / f, v * 10 / f, 10.0, 0) for u in range(20, 40, 2) for v in range(20, 40, 5)]
    wall_hidden = [(u * 20 / f, v * 20 / f, 20.0, 0) for u in (25, 30, 35) for v in (22, 28, 33)]
    wall_seen = [(u * 20 / f, v * 20 / f, 20.0, 0) for u in (10, 50) for v in (22, 28, 33)]
    image = np.zeros((60, 60, 3), np.uint8)
    image[18:38, 18:42] = 200
    points = np.array(car + wall_hidden + wall_seen, np.float32)
    pixels, _ = paint_points(points, image, camera)
    seen = np.isfinite(pixels[:, 0])
    assert seen[: len(car)].all()
    assert not seen[len(car) : len(car) + len(wall_hidden)].any()
    assert seen[len(car) + len(wall_hidden) :].all()
    everything, _ = paint_points(points, image, camera, occlusion_tolerance=1.0)
    assert np.isfinite(everything).all()


def test_read_only_and_strided_arrays_give_the_same():
    rng = np.random.default_rng(0)
    points = rng.normal(5, 2, (200, 4)).astype(np.float32)
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    expected = paint_points(points, image, CAMERA)
    read_only, wide = points.copy(), np.zeros((200, 8), np.float32)
    read_only.flags.writeable = False
    wide[:, ::2] = points
    for other in (read_only, wide[:, ::2]):
        for got, want in zip(paint_points(other, image, CAMERA), expected, strict=True):
            np.testing.assert_array_equal(got, want)
