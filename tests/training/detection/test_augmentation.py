"""SSD's augmentation: objects stay on their pixels whatever is done to the picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from models.detection.inputs import PAD_VALUE
from training.detection.augmentation import Augmentation, Input, augmented, mirrored
from training.detection.camera import seen_by_a_camera
from training.detection.photometric import distorted
from training.detection.windows import centred_in, cropped, cut, enlarging, expanded, seen_in

H, W = 60, 100
BOXES = np.array([[8, 10, 32, 40], [50, 20, 90, 50]], np.float32)
LABELS = np.array([3, 1])
CHANNELS = (0, 2)  # in which each object's pixels are bright
STILL = Augmentation(expand=1, crop=1, mirror=0, photometric=False)


def picture() -> np.ndarray:
    """Each object is a filled rectangle of its own colour, black around."""
    image = np.zeros((H, W, 3), np.uint8)
    for (x1, y1, x2, y2), channel in zip(BOXES.astype(int), CHANNELS, strict=True):
        image[y1:y2, x1:x2, channel] = 250
    return image


def found_in(image: np.ndarray, channel: int) -> tuple[float, float, float, float]:
    """The box of the pixels that are bright in that channel, brighter than the filling."""
    rows, columns = np.nonzero(image[..., channel] > PAD_VALUE + 20)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["letterbox", "letterbox-corner", "stretch"]))
def test_objects_stay_on_their_pixels(seed, fit):
    how = Augmentation(expand=2, crop=0.5, photometric=False, enlarge=0.3)
    image, boxes, labels = augmented(picture(), BOXES, LABELS, Input(96, 128, fit), how, np.random.default_rng(seed))
    assert image.shape == (96, 128, 3)
    assert boxes.dtype == np.float32
    assert len(boxes) == len(labels) >= 1
    for box, label in zip(boxes, labels, strict=True):
        # A pixel of the picture is up to 2.7 px here, and edges are blurred by the interpolation.
        np.testing.assert_allclose(box, found_in(image, CHANNELS[LABELS.tolist().index(label)]), atol=2.5)
        assert (box >= -1e-3).all()
        assert (box <= np.array([128, 96] * 2) + 1e-3).all()


def test_without_augmentation_the_picture_is_only_fitted():
    image, boxes, labels = augmented(picture(), BOXES, LABELS, Input(H, W, "stretch"), STILL, np.random.default_rng(0))
    np.testing.assert_array_equal(image, picture())
    np.testing.assert_array_equal(boxes, BOXES)
    np.testing.assert_array_equal(labels, LABELS)


def test_the_same_seed_gives_the_same_sample():
    one, two = (
        augmented(picture(), BOXES, LABELS, Input(64, 96, "letterbox"), Augmentation(), np.random.default_rng(7))
        for _ in range(2)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_mirroring_twice_is_nothing():
    image, boxes = mirrored(*mirrored(picture(), BOXES))
    np.testing.assert_array_equal(image, picture())
    np.testing.assert_array_equal(boxes, BOXES)


def test_an_expanded_window_holds_the_picture_and_is_no_larger_than_said():
    rng = np.random.default_rng(0)
    windows = np.array([expanded(W, H, 3.0, rng) for _ in range(300)])
    assert (windows[:, :2] <= 0).all()
    assert (windows[:, 2:] >= (W, H)).all()
    ratios = (windows[:, 2:] - windows[:, :2]) / (W, H)
    np.testing.assert_allclose(ratios[:, 0], ratios[:, 1])
    assert 2.8 < ratios.max() <= 3
    assert 100 < (ratios[:, 0] == 1).sum() < 200  # half of them are not expanded


def test_crops_keep_an_object_overlap_and_aspect():
    rng = np.random.default_rng(1)
    whole, changed = np.array([0.0, 0, W, H]), 0
    for _ in range(200):
        part = cropped(whole, BOXES, 0.3, 2.0, rng)
        assert (part[:2] >= 0).all()
        assert (part[2:] <= (W, H)).all()
        assert centred_in(BOXES, part).any()
        shares = (part[2:] - part[:2]) / (W, H)
        assert (shares >= 0.3 - 1e-9).all()
        assert 0.5 - 1e-9 <= shares[0] / shares[1] <= 2 + 1e-9
        changed += not np.array_equal(part, whole)
    assert changed > 80
    none = np.zeros((0, 4), np.float32)
    np.testing.assert_array_equal(cropped(whole, none, 0.3, 2.0, rng), whole)


@pytest.mark.parametrize("window", [(-3.2, 5, 20.4, 70), (10, 10, 40, 30), (-5, -5, 120, 80), (4.4, 4.4, 4.5, 4.5)])
def test_a_cut_is_what_slow_indexing_gives(window):
    image = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
    part, (x1, y1, x2, y2) = cut(image, np.array(window), PAD_VALUE)
    assert part.shape == (y2 - y1, x2 - x1, 3)
    for y in range(y1, y2):
        for x in range(x1, x2):
            inside = 0 <= y < H and 0 <= x < W
            np.testing.assert_array_equal(part[y - y1, x - x1], image[y, x] if inside else [PAD_VALUE] * 3)


def test_enlarged_objects_have_any_height_up_to_most_of_the_windows():
    """Logarithms of the magnification are uniform up to the largest; the window stays in the picture, with its aspect
    ratio and the object's centre."""
    rng, box = np.random.default_rng(3), np.array([[310, 95, 330, 104]], np.float32)  # a car far away: 9 px of 180
    windows = np.array([enlarging(600, 180, box, 0.0, rng) for _ in range(4000)])
    size = windows[:, 2:] - windows[:, :2]
    np.testing.assert_allclose(size[:, 0] / size[:, 1], 600 / 180)
    assert (windows[:, :2] >= 0).all()
    assert (windows[:, 2:] <= (600 + 1e-9, 180 + 1e-9)).all()
    assert all(centred_in(box, window).all() for window in windows)
    magnification = np.log(180 / size[:, 1]) / np.log(0.9 * 180 / 9)
    assert np.abs(np.quantile(magnification, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.04
    where = (320 - windows[:, 0]) / size[:, 0]
    assert where.min() < 0.1
    assert where.max() > 0.9


def test_what_would_be_a_blur_is_enlarged_less():
    rng, box = np.random.default_rng(3), np.array([[310, 95, 330, 104]], np.float32)
    windows = np.array([enlarging(600, 180, box, 0.4, rng) for _ in range(300)])
    size = windows[:, 2:] - windows[:, :2]
    assert 0.4 <= size[:, 0].min() / 600 < 0.42


def test_a_near_object_that_an_enlarged_window_cuts_is_still_one():
    boxes = np.array([[0, 0, 100, 100], [60, 60, 160, 160], [90, 0, 190, 100], [0, 0, 4, 4]], np.float32)
    assert seen_in(boxes, np.array([0, 0, 105, 105])).tolist() == [True, False, False, True]
    assert seen_in(boxes, np.array([0, 0, 115, 115])).tolist() == [True, True, True, True]


def test_what_is_large_already_is_shown_in_the_whole_picture():
    rng = np.random.default_rng(0)
    box = np.array([[0, 2, 90, 99]], np.float32)
    assert all((enlarging(300, 100, box, 0.0, rng) == (0, 0, 300, 100)).all() for _ in range(20))


def test_samples_without_an_object_are_not_enlarged():
    how = Augmentation(expand=1, crop=1, mirror=0, photometric=False, enlarge=1)
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    image, boxes, _ = augmented(picture(), *nothing, Input(H, W, "stretch"), how, np.random.default_rng(0))
    np.testing.assert_array_equal(image, picture())
    assert len(boxes) == 0


def test_light_and_colours_change_and_stay_in_range():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    kept = image.copy()
    results = [distorted(image, np.random.default_rng(seed)) for seed in range(30)]
    np.testing.assert_array_equal(image, kept)
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in results)
    assert len({result.tobytes() for result in results}) > 20
    grey = np.repeat(image[..., :1], 3, axis=2)  # has no hue and no saturation: it stays grey
    for seed in range(10):
        result = distorted(grey, np.random.default_rng(seed)).astype(int)
        assert np.abs(result - result[..., :1]).max() <= 1
    assert cv2.mean(image) != cv2.mean(results[0])


def test_a_camera_changes_pixels_and_moves_nothing():
    """Of a smooth picture the means of 8×8 blocks stay near what a tone curve makes of them; most samples change."""
    rows, columns = np.mgrid[:64, :96]
    smooth = np.stack([60 + rows, 200 - columns, 40 + rows + columns], axis=-1).astype(np.uint8)

    def blocks(image):
        return image.reshape(8, 8, 12, 8, 3).mean(axis=(1, 3))

    changed = 0
    for seed in range(60):
        seen = seen_by_a_camera(smooth, np.random.default_rng(seed))
        assert (seen.shape, seen.dtype) == (smooth.shape, np.uint8)
        changed += not np.array_equal(seen, smooth)
        order = np.argsort(blocks(smooth)[..., 2].ravel())  # a tone curve keeps the order of what is far apart
        ours = blocks(seen)[..., 2].ravel()[order]
        assert (ours[20:] > ours[:-20]).all()
    assert 50 <= changed < 60
