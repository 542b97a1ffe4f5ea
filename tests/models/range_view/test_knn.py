"""The KNN vote against an independent implementation: everything unfolded and sorted, as RangeNet++ describes it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from models.range_view.knn import refine
from models.range_view.projection import project


def reference(labels, ranges, pixel, point_range, knn, search, sigma, cutoff_m, classes):
    height, width = labels.shape
    pad, P = search // 2, search * search
    padded_labels, padded_ranges = np.zeros((height + 2 * pad, width + 2 * pad), int), None
    padded_labels[pad : pad + height, pad : pad + width] = labels
    padded_ranges = np.zeros(padded_labels.shape, np.float32)
    padded_ranges[pad : pad + height, pad : pad + width] = np.where(ranges < 0, np.inf, ranges)
    offsets = np.arange(-pad, pad + 1)
    squared = (offsets[:, None] ** 2 + offsets[None, :] ** 2).ravel()
    gaussian = np.exp(-squared / (2 * sigma**2))
    weights = (1 - gaussian / gaussian.sum()).astype(np.float32)

    row, column = np.divmod(pixel, width)
    window_rows = row[:, None] + np.repeat(np.arange(search), search)
    window_columns = column[:, None] + np.tile(np.arange(search), search)
    unfolded_labels = padded_labels[window_rows, window_columns]
    unfolded_ranges = padded_ranges[window_rows, window_columns]
    unfolded_ranges[:, P // 2] = point_range
    distances = np.abs(unfolded_ranges - point_range[:, None].astype(np.float32)) * weights
    order = np.lexsort(
        (np.broadcast_to(np.arange(P), distances.shape), np.broadcast_to(squared, distances.shape), distances)
    )
    chosen = order[:, :knn]
    voters = np.take_along_axis(unfolded_labels, chosen, 1)
    voters[np.take_along_axis(distances, chosen, 1) > np.float32(cutoff_m)] = classes
    votes = (voters[:, :, None] == np.arange(1, classes)).sum(1)
    winner = np.where(votes.any(1), votes.argmax(1) + 1, 0)
    return np.where(pixel < 0, 0, winner).astype(np.uint8)


def assert_same_as_reference(labels, ranges, pixel, point_range, **options):
    given_options = {"knn": 5, "search": 5, "sigma": 1.0, "cutoff_m": 1.0, "classes": 20, **options}
    found = refine(labels, ranges, pixel, point_range, **given_options)
    assert found.dtype == np.uint8
    expected = np.concatenate(
        [
            reference(labels, ranges, pixel[i : i + 20_000], point_range[i : i + 20_000], **given_options)
            for i in range(0, max(len(pixel), 1), 20_000)
        ]
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("knn", "search"), [(5, 5), (7, 7)])
@pytest.mark.parametrize("width", [512, 2048])
def test_real_scans(shared_data, knn, search, width):
    scan = shared_data / "semantickitti/sequences/00/velodyne/000001.bin"
    points = np.fromfile(scan, "<f4").reshape(-1, 4)
    found = project(points, height=64, width=width, fov_up_deg=3, fov_down_deg=-25)
    true = np.fromfile(scan.parent.parent / "labels" / "000001.label", "<u4").astype(np.uint8) % 20
    labels = np.zeros(64 * width, np.uint8)
    labels[found.point_pixel] = true
    labels = labels.reshape(64, width)
    pixel, own = found.point_pixel[::4], found.point_range[::4]
    assert_same_as_reference(labels, found.image[0], pixel, own, knn=knn, search=search)


def random_case(rng, height=16, width=40, count=500, labels_up_to=20, range_step=0.0):
    """Patches of labels and ranges, holes, points that have no pixel."""
    patch = rng.integers(0, labels_up_to, (height, width // 4)).astype(np.uint8)
    labels = np.repeat(patch, 4, axis=1)
    ranges = np.repeat(rng.uniform(2, 6, patch.shape), 4, axis=1) + rng.normal(0, 0.3, labels.shape)
    if range_step:
        ranges = np.round(ranges / range_step) * range_step
    ranges[rng.random(ranges.shape) < 0.2] = -1
    ranges = ranges.astype(np.float32)
    pixel = rng.integers(-1, height * width, count).astype(np.int32)
    own = np.abs(ranges.ravel()[pixel] + rng.choice([0, 0.3, 1, 2], count)).astype(np.float32)
    return labels, ranges, pixel, own


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 1), (5, 5), (1, 5), (7, 7), (25, 5), (3, 9)]),
    st.sampled_from([2, 3, 20]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.05, 1.0, 3.0, 100.0]),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_random_images(seed, knn_and_search, labels_up_to, range_step, cutoff_m, sigma):
    case = random_case(np.random.default_rng(seed), labels_up_to=labels_up_to, range_step=range_step)
    knn, search = knn_and_search
    assert_same_as_reference(*case, knn=knn, search=search, cutoff_m=cutoff_m, sigma=sigma)


def test_image_smaller_than_the_window():
    case = random_case(np.random.default_rng(3), height=2, width=4)
    assert_same_as_reference(*case, knn=7, search=9)


def test_other_numbers_of_classes():
    case = random_case(np.random.default_rng(4), labels_up_to=200)
    assert_same_as_reference(*case, classes=256)


def test_a_point_behind_an_edge_gets_what_is_behind():
    """A pole (18) before a wall (13): a point of the wall that fell into the pole's column is the wall's."""
    labels, ranges = np.full((5, 9), 13, np.uint8), np.full((5, 9), 20, np.float32)
    labels[:, 4], ranges[:, 4] = 18, 5
    pixel = np.array([2 * 9 + 4, 2 * 9 + 4], np.int32)
    assert refine(labels, ranges, pixel, np.array([5, 20], np.float32)).tolist() == [18, 13]


def test_points_without_a_vote_are_unlabelled():
    labels, ranges = np.zeros((3, 3), np.uint8), np.ones((3, 3), np.float32)
    assert refine(labels, ranges, np.array([4, -1], np.int32), np.ones(2, np.float32)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": 4}, "odd"),
        ({"search": 0}, "odd"),
        ({"knn": 0}, "1 to 25"),
        ({"knn": 26}, "1 to 25"),
        ({"cutoff_m": 0.0}, "above 0"),
        ({"sigma": float("nan")}, "above 0"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(UserError, match=message):
        refine(*random_case(np.random.default_rng(0)), **options)


def test_wrong_arrays():
    labels, ranges, pixel, own = random_case(np.random.default_rng(0))
    with pytest.raises(ValueError, match="must agree"):
        refine(labels[:-1], ranges, pixel, own)
    with pytest.raises(ValueError, match="must agree"):
        refine(labels, ranges, pixel[:-1], own)
    with pytest.raises(ValueError, match="not below classes"):
        refine(np.full_like(labels, 20), ranges, pixel, own)
    with pytest.raises(ValueError, match="outside the image"):
        refine(labels, ranges, np.full_like(pixel, labels.size), own)
