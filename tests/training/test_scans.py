"""Training samples: what augmentation may change and what it may not, and labels per pixel."""

import msgspec
import numpy as np
import pytest

from errors import UserError
from formats.labelled_scans import LabelledScan, Recording, scans_of
from formats.labels import load_label_table, write_labels
from models.range_view.labels import label_image
from models.range_view.projection import project
from training.scans import (
    Augmentation,
    ClassTraits,
    augment,
    class_frequencies,
    evaluation_sample,
    training_sample,
)

ALIKE = np.full(20, 0.05)
"""All classes are equally frequent."""
SMOOTH = ClassTraits.of(Augmentation(), load_label_table().names, ALIKE)


def ring(count=5000, seed=0):
    """Points around the sensor; the label follows from the range alone, so that it can be checked after any turn."""
    rng = np.random.default_rng(seed)
    azimuth, elevation = rng.uniform(-np.pi, np.pi, count), np.radians(rng.uniform(-20, 0, count))
    near = rng.random(count) < 0.5
    distance = np.where(near, 5, 30)
    xyz = np.stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)]) * distance * np.cos(elevation)
    points = np.vstack([xyz, np.full(count, 0.3)]).T.astype(np.float32)
    return LabelledScan(points, np.where(near, 1, 13).astype(np.uint8))


def test_class_frequencies_are_those_of_all_points(tmp_path):
    table, labels = load_label_table(), [ring(seed=i).labels for i in range(2)]
    for folder in ("velodyne", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(2):
        ring(seed=i).points.tofile(tmp_path / "velodyne" / f"{i:06d}.bin")
        write_labels(tmp_path / "labels" / f"{i:06d}.label", table.to_raw(labels[i]))
    found = class_frequencies(scans_of(Recording("drive", tmp_path)), table)
    both = np.concatenate(labels)
    np.testing.assert_allclose(found, np.bincount(both, minlength=20) / len(both))


def turned(scan, seed, yaw_rad=0.5, mirror=-1):
    return augment(scan, np.random.default_rng(seed), Augmentation(), yaw_rad, mirror, SMOOTH.rough_m)


@pytest.mark.parametrize("seed", range(8))
def test_augmentation_keeps_what_the_labels_say(seed):
    augmented = turned(ring(), seed)
    assert augmented.points.dtype == np.float32
    assert len(augmented.points) == len(augmented.labels)
    assert 0.8 * 5000 < len(augmented.points) <= 5000
    distance = np.linalg.norm(augmented.points[:, :3], axis=1)
    assert ((distance < 15) == (augmented.labels == 1)).all()
    assert np.isfinite(augmented.points).all()
    assert augmented.points[:, 3].min() >= 0
    assert augmented.points[:, 3].max() <= 1


def test_augmentation_leaves_the_scan_alone_and_depends_on_the_seed_only():
    scan, before = ring(), ring()
    first, again, other = (turned(scan, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(scan.points, before.points)
    np.testing.assert_array_equal(first.points, again.points)
    assert len(first.points) != len(other.points) or (first.points != other.points).any()


def test_it_is_mirrored_then_turned():
    scan = LabelledScan(np.array([[10, 5, 0, 0.5]], np.float32), np.array([1], np.uint8))
    still = Augmentation(
        tilt_deg=0, height_m=0, scale=0, range_noise_m=0, drop=0, remission_spread=0, remission_noise=0
    )
    points = augment(scan, np.random.default_rng(0), still, np.pi / 2, -1, SMOOTH.rough_m).points
    np.testing.assert_allclose(points[0, :3], [5, 10, 0], atol=1e-5)


@pytest.mark.parametrize("keep", ["nearest", "farthest"])
def test_label_image_is_that_of_the_point_in_the_pixel(keep):
    scan = ring(20_000)
    projection = project(scan.points, height=16, width=64, fov_up_deg=3, fov_down_deg=-25, keep=keep)
    image = label_image(projection, scan.labels)
    seen = projection.image[0] > 0
    assert (image[~seen] == 0).all()
    np.testing.assert_array_equal(image[seen], np.where(projection.image[0][seen] < 15, 1, 13))


def test_of_equal_ranges_the_first_point_gives_the_label():
    points = np.array([[9, 0, 0, 0.1], [9, 0, 0, 0.2]], np.float32)
    projection = project(points, height=4, width=8, fov_up_deg=3, fov_down_deg=-25)
    assert label_image(projection, np.array([4, 5], np.uint8)).max() == 4


def test_training_sample_is_a_window():
    image, labels = training_sample(ring(), np.random.default_rng(0), 16, 128, 32, Augmentation(), SMOOTH)
    assert image.shape == (5, 16, 32)
    assert labels.shape == (16, 32)
    assert (image[:, labels == 0] == 0).all()


STILL = Augmentation(
    any_yaw=0, tilt_deg=0, height_m=0, scale=0, range_noise_m=0, drop=0, remission_spread=0, remission_noise=0,
    remission_blind=0,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_a_window_is_cut_from_the_whole_augmented_image(seed):
    """Only part of the scan is augmented and projected: no pixel of the window may show it."""
    scan = ring(20_000)
    how = msgspec.structs.replace(STILL, mirror=False, yaw_deg=0.0)
    image, labels = training_sample(scan, np.random.default_rng(seed), 16, 128, 32, how, SMOOTH)
    whole, projection = evaluation_sample(scan, 16, 128)
    whole_labels = label_image(projection, scan.labels)
    found = [
        left
        for left in range(128 - 32 + 1)
        if np.allclose(whole[:, :, left : left + 32], image, atol=1e-5)
        and (whole_labels[:, left : left + 32] == labels).all()
    ]
    assert len(found) == 1


@pytest.mark.parametrize("mirror", [False, True])
def test_balanced_windows_look_at_every_class(mirror):
    """A thin pole of 200 points among 100,000 of road is in most balanced windows, whatever way the scan is turned."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(-np.pi, np.pi, 100_000), rng.uniform(5, 30, 100_000)
    road = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(100_000, -1.7)])
    pole = np.column_stack([np.full((200, 2), [-3.0, 4.0]), rng.uniform(-1.7, 0.2, 200)])
    points = np.column_stack([np.vstack([road, pole]), np.full(100_200, 0.3)]).astype(np.float32)
    scan = LabelledScan(points, np.repeat(np.array([9, 18], np.uint8), [100_000, 200]))

    def share(balanced: float) -> float:
        how = Augmentation(mirror=mirror, any_yaw=1, balanced=balanced)
        seen = [
            (training_sample(scan, np.random.default_rng(seed), 32, 256, 32, how, SMOOTH)[1] == 18).any()
            for seed in range(60)
        ]
        return float(np.mean(seen))

    assert share(1.0) > 0.4  # half of them look for the pole
    assert share(0.0) < 0.3  # an eighth of the circle


def test_evaluation_sample_is_the_whole_image():
    image, projection = evaluation_sample(ring(), 16, 128)
    assert image.shape == projection.image.shape == (5, 16, 128)
    assert ((image[0] == 0) == (projection.image[0] < 0)).all()


def test_windows_look_at_rare_classes_more_often():
    """Two poles of equally many points, on opposite sides, of classes of which one is 100 times rarer: it is looked at
    ten times as often."""
    rng = np.random.default_rng(0)
    both = np.vstack(
        [np.column_stack([np.full((100, 2), side), rng.uniform(-1, 0, 100)]) for side in ([4, 0], [-4, 1])]
    )
    points = np.column_stack([both, np.full(200, 0.3)]).astype(np.float32)
    scan = LabelledScan(points, np.repeat(np.array([18, 6], np.uint8), 100))
    frequencies = np.where(np.arange(20) == 6, 0.0001, 0.01)
    how = msgspec.structs.replace(STILL, yaw_deg=0.0, mirror=False, balanced=1.0)
    traits = ClassTraits.of(how, load_label_table().names, frequencies)
    rare = [
        (training_sample(scan, np.random.default_rng(seed), 16, 256, 32, how, traits)[1] == 6).any()
        for seed in range(200)
    ]
    assert 0.85 < np.mean(rare) < 0.96


def test_rough_classes_scatter_along_the_beam_and_the_others_do_not():
    """Ring: class 1 at 5 m, class 13 at 30 m. The deviation is at most the one asked for, and differs from window to
    window."""
    names = load_label_table().names
    rough_m = ClassTraits.of(Augmentation(rough_m={names[13]: 0.3}), names, ALIKE).rough_m
    still = msgspec.structs.replace(STILL, drop=0.0)
    deviations_m = []
    for seed in range(40):
        scan = ring(2000)
        points = augment(scan, np.random.default_rng(seed), still, 0.0, 1, rough_m).points
        before_m, after_m = (np.linalg.norm(p[:, :3], axis=1) for p in (scan.points, points))
        np.testing.assert_allclose(after_m[scan.labels == 1], before_m[scan.labels == 1], atol=1e-4)
        deviations_m.append((after_m - before_m)[scan.labels == 13].std())
    assert 0.25 < max(deviations_m) < 0.33
    assert min(deviations_m) < 0.05


def test_a_rough_class_that_there_is_not_is_refused():
    with pytest.raises(
        UserError, match=r"augmentation\.rough_m: class 'tree' is not known; choose one of unlabeled, car"
    ):
        ClassTraits.of(Augmentation(rough_m={"tree": 0.1}), load_label_table().names, ALIKE)
