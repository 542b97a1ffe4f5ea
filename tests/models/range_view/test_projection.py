"""The projection against an independent implementation: the formula in NumPy, and a sort for who is in the image."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from models.range_view.projection import project
from simulation.drive import simulate
from simulation.recipe import Recipe

HDL64 = {"fov_up_deg": 3.0, "fov_down_deg": -25.0}
atan2, asin = np.vectorize(math.atan2, otypes=[float]), np.vectorize(math.asin, otypes=[float])


def reference(points, height, width, fov_up_deg, fov_down_deg, keep="nearest", library=(atan2, asin)):
    """Pixels from the formula in float64, the image by sorting."""
    atan2, asin = library
    xyz = points[:, :3].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        r = np.sqrt(xyz[:, 0] ** 2 + xyz[:, 1] ** 2 + xyz[:, 2] ** 2)
        point_range = r.astype(np.float32)
    usable = np.isfinite(points).all(1) & np.isfinite(point_range) & (point_range > 0)
    point_range[~usable] = 0
    point_pixel = np.full(len(points), -1, np.int32)
    if usable.any():
        x, y, z = xyz[usable].T
        up, down = math.radians(fov_up_deg), math.radians(fov_down_deg)
        u = 0.5 * (1 - atan2(y, x) / math.pi) * width
        v = (1 - (asin(z / r[usable]) - down) / (up - down)) * height
        column = np.clip(np.floor(u), 0, width - 1).astype(np.int32)
        row = np.clip(np.floor(v), 0, height - 1).astype(np.int32)
        point_pixel[usable] = row * width + column
    image = np.full((5, height * width), -1, np.float32)
    order = np.argsort(point_range if keep == "nearest" else -point_range, kind="stable")
    order = order[usable[order]]
    pixels, first = np.unique(point_pixel[order], return_index=True)
    image[0, pixels] = point_range[order[first]]
    image[1:, pixels] = points[order[first]].T
    return image.reshape(5, height, width), point_pixel, point_range, int((~usable).sum())


def assert_same(found, expected):
    image, point_pixel, point_range, dropped = expected
    np.testing.assert_array_equal(found.point_pixel, point_pixel)
    np.testing.assert_array_equal(found.point_range, point_range)
    np.testing.assert_array_equal(found.image, image)
    assert found.dropped == dropped
    assert (found.image.dtype, found.point_pixel.dtype, found.point_range.dtype) == (np.float32, np.int32, np.float32)


def cloud(rng, count):
    directions = rng.normal(size=(count, 3)) * [1, 1, 0.2]
    return np.column_stack([directions * rng.uniform(0.5, 60, (count, 1)), rng.random(count)]).astype(np.float32)


@pytest.mark.parametrize("keep", ["nearest", "farthest"])
@pytest.mark.parametrize("width", [512, 1024, 2048])
def test_real_scans(shared_data, width, keep):
    for scan in sorted(shared_data.glob("semantickitti/sequences/*/velodyne/*.bin"))[::4]:
        points = np.fromfile(scan, "<f4").reshape(-1, 4)
        found = project(points, height=64, width=width, keep=keep, **HDL64)
        assert_same(found, reference(points, 64, width, 3.0, -25.0, keep, library=(np.arctan2, np.arcsin)))


@pytest.mark.parametrize("keep", ["nearest", "farthest"])
@pytest.mark.parametrize("width", [512, 2048])
def test_simulated_scans(tmp_path, width, keep):
    pytest.importorskip("open3d")
    simulate(tmp_path / "drive", Recipe(frames=2, seed=3, cameras=()))
    for path in sorted((tmp_path / "drive" / "velodyne").glob("*.bin")):
        points = np.fromfile(path, np.float32).reshape(-1, 4)
        found = project(points, height=64, width=width, keep=keep, **HDL64)
        assert_same(found, reference(points, 64, width, 3.0, -25.0, keep, library=(np.arctan2, np.arcsin)))


@pytest.mark.parametrize(("height", "width", "up", "down"), [(64, 2048, 3, -25), (32, 1084, 10, -30), (7, 13, 40, 5)])
@pytest.mark.parametrize("keep", ["nearest", "farthest"])
def test_random_clouds(height, width, up, down, keep):
    points = cloud(np.random.default_rng(height), 20_000)
    found = project(points, height=height, width=width, fov_up_deg=up, fov_down_deg=down, keep=keep)
    assert_same(found, reference(points, height, width, up, down, keep))


VALUES = st.one_of(
    st.floats(width=32),
    st.floats(-80, 80, width=32),
    st.integers(-4, 4).map(float),
    st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, 1e-20, -3e38, 3e38]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), max_size=30),
    st.sampled_from([(32, 256), (4, 8), (1, 1)]),
    st.sampled_from(["nearest", "farthest"]),
)
def test_any_points_at_all(rows, size, keep):
    points = np.array(rows, np.float32).reshape(-1, 4)
    found = project(points, height=size[0], width=size[1], keep=keep, **HDL64)
    assert_same(found, reference(points, *size, 3.0, -25.0, keep))


def test_directions():
    points = np.array([[10, 0, 0, 0.1], [0, 10, 0, 0.2], [0, -10, 0, 0.3], [-10, 1e-3, 0, 0.4]], np.float32)
    found = project(points, height=28, width=360, **HDL64)
    rows, columns = np.divmod(found.point_pixel, 360)
    assert rows.tolist() == [3, 3, 3, 3]  # the horizon, 3° below the top
    assert columns.tolist() == [180, 90, 270, 0]  # ahead in the middle, left to the left, behind at the edge


def test_straight_behind_the_sign_of_zero_decides():
    points = np.array([[-5, 0.0, 0, 0], [-5, -0.0, 0, 0]], np.float32)
    assert (project(points, height=1, width=512, **HDL64).point_pixel == [0, 511]).all()


def test_two_points_in_one_pixel():
    points = np.array([[20, 0, 0, 0.2], [10, 0, 0, 0.1], [10, 0, 0, 0.9], [20, 0, 0, 0.5]], np.float32)
    nearest = project(points, height=64, width=512, **HDL64)
    farthest = project(points, height=64, width=512, keep="farthest", **HDL64)
    row, column = divmod(int(nearest.point_pixel[0]), 512)
    assert nearest.image[:, row, column].tolist() == pytest.approx([10, 10, 0, 0, 0.1])
    assert farthest.image[:, row, column].tolist() == pytest.approx([20, 20, 0, 0, 0.2])
    assert nearest.point_range.tolist() == [20, 10, 10, 20]


def test_points_that_cannot_be_projected_are_counted():
    points = np.full((6, 4), 5, np.float32)
    points[0, :3] = 0
    points[1, 0], points[2, 2], points[3, 3] = np.nan, np.inf, np.nan
    found = project(points, height=64, width=512, **HDL64)
    assert found.dropped == 4
    assert (found.point_pixel[:4] == -1).all()
    assert (found.point_range[:4] == 0).all()
    assert np.isfinite(found.image).all()


def test_an_empty_scan_is_an_empty_image():
    found = project(np.empty((0, 4), np.float32), height=3, width=4, **HDL64)
    assert (found.image == -1).all()
    assert found.point_pixel.shape == (0,)


def test_a_view_is_as_good_as_a_copy():
    points = cloud(np.random.default_rng(5), 1000)
    wide = np.zeros((1000, 6), np.float32)
    wide[:, :4] = points
    read_only = points.copy()
    read_only.flags.writeable = False
    expected = project(points, height=64, width=512, **HDL64)
    for same in (wide[:, :4], read_only):
        np.testing.assert_array_equal(project(same, height=64, width=512, **HDL64).image, expected.image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "height and width"),
        ({"fov_up_deg": -30.0}, "fov_down_deg must be below"),
        ({"fov_up_deg": math.nan}, "fov_down_deg must be below"),
        ({"keep": "both"}, "'nearest' or 'farthest'"),
    ],
)
def test_wrong_parameters(change, message):
    parameters = {"height": 64, "width": 512, **HDL64, **change}
    with pytest.raises(UserError, match=message):
        project(np.zeros((1, 4), np.float32), **parameters)


def test_wrong_arrays():
    for points in (np.zeros((3, 3), np.float32), np.zeros((3, 4))):
        with pytest.raises(ValueError, match=r"\[N, 4\]"):
            project(points, height=64, width=512, **HDL64)
