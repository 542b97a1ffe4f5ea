"""The projection node: its messages, its counters, its checks. What it computes is tested in tests/models."""

from collections import Counter

import numpy as np
import pytest

from errors import UserError
from nodes.projection import Projection
from pipeline.messages import Header, LidarScan, RangeImage, check_arrays
from pipeline.node import node_signature


def make(**params: object) -> Projection:
    Projection.check(**params)  # type: ignore[arg-type]
    node = Projection(**params)  # type: ignore[arg-type]
    node.open()
    return node


def test_signature() -> None:
    signature = node_signature(Projection)
    assert [(i.name, i.type) for i in signature.inputs] == [("scan", LidarScan)]
    assert signature.output is RangeImage


def test_each_point_finds_its_pixel_and_its_way_back() -> None:
    """Pixels by hand: 360 columns and 28 rows are a degree each; column 180 is straight ahead, row 0 at +3 degrees."""
    node = make(height=28, width=360)
    up = np.sin(np.radians(2.5))
    points = np.array(
        [
            [10, -0.1, -1, 0.5],  # a little to the right of ahead, 5.7 degrees down
            [np.cos(np.radians(2.5)) * 20, 0.1, up * 20, 0.25],  # a little to the left, 2.5 degrees up
            [np.nan, 1, 1, 0.1],
            [0, 0, 0, 0.1],
            [-1, np.inf, 0, 0.1],
        ],
        np.float32,
    )
    result = node.process(LidarScan(header=Header(name="000007", seq=7), points=points))
    check_arrays(result)
    assert result.header.name == "000007"
    assert result.point_pixel.tolist() == [8 * 360 + 180, 179, -1, -1, -1]
    np.testing.assert_array_equal(result.image[1:, 8, 180], points[0])
    np.testing.assert_array_equal(result.image[1:, 0, 179], points[1])
    np.testing.assert_allclose(result.image[0, 8, 180], np.linalg.norm(points[0, :3]), rtol=1e-6)
    assert result.point_range[2:].tolist() == [0, 0, 0]
    assert (result.image[0] == -1).sum() == 28 * 360 - 2
    assert node.counters == Counter(points_not_projected=3)
    node.process(LidarScan(points=points[2:]))
    assert node.counters["points_not_projected"] == 6


def test_keep_says_which_of_two_points_is_seen() -> None:
    scan = LidarScan(points=np.array([[10, 0, 0, 0.1], [5, 0, 0, 0.2]], np.float32))
    assert make(keep="nearest").process(scan).image[0].max() == 5
    assert make(keep="farthest").process(scan).image[0].max() == 10


def test_a_scan_without_points_is_an_empty_image() -> None:
    result = make(height=4, width=8).process(LidarScan(points=np.empty((0, 4), np.float32)))
    check_arrays(result)
    assert (result.image == -1).all()
    assert len(result.point_pixel) == 0


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"keep": "closest"}, "keep is 'closest'; give 'nearest' or 'farthest'"),
        ({"height": 0}, "0x512 pixels"),
        ({"width": -1}, "64x-1 pixels"),
        ({"fov_up_deg": -25.0}, "field of view"),
        ({"fov_down_deg": float("nan")}, "field of view"),
        ({"fov_up_deg": 91.0}, "within -90..90"),
    ],
)
def test_checks(params: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make(**params)


def test_default_parameters_pass() -> None:
    Projection.check()
