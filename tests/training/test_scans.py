"""Training samples: what augmentation may change and what it may not, and labels per pixel."""

import numpy as np
import pytest

from errors import UserError
from formats.labels import load_label_table, write_labels
from models.range_view.projection import project
from training.scans import (
    LabelledScan,
    augment,
    class_frequencies,
    evaluation_sample,
    find_scans,
    label_image,
    read_scan,
    training_sample,
)


def ring(count=5000, seed=0):
    """Points around the sensor; the label follows from the range alone, so that it can be checked after any turn."""
    rng = np.random.default_rng(seed)
    azimuth, elevation = rng.uniform(-np.pi, np.pi, count), np.radians(rng.uniform(-20, 0, count))
    near = rng.random(count) < 0.5
    distance = np.where(near, 5, 30)
    xyz = np.stack([np.cos(azimuth), np.sin(azimuth), np.tan(elevation)]) * distance * np.cos(elevation)
    points = np.vstack([xyz, np.full(count, 0.3)]).T.astype(np.float32)
    return LabelledScan(points, np.where(near, 1, 13).astype(np.uint8))


@pytest.fixture
def drive(tmp_path):
    table = load_label_table()
    for folder in ("velodyne", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(2):
        scan = ring(seed=i)
        scan.points.tofile(tmp_path / "velodyne" / f"{i:06d}.bin")
        write_labels(tmp_path / "labels" / f"{i:06d}.label", table.to_raw(scan.labels))
    return tmp_path


def test_scans_and_labels_are_read(drive):
    table = load_label_table()
    pairs = find_scans([drive])
    assert len(pairs) == 2
    read, made = read_scan(pairs[1], table), ring(seed=1)
    np.testing.assert_array_equal(read.points, made.points)
    np.testing.assert_array_equal(read.labels, made.labels)
    frequencies = class_frequencies(pairs, table)
    both = np.concatenate([ring(seed=0).labels, made.labels])
    np.testing.assert_allclose(frequencies, np.bincount(both, minlength=20) / len(both))


def test_missing_labels_are_named(drive):
    (drive / "labels" / "000001.label").unlink()
    with pytest.raises(UserError, match=r"000001\.label: not found"):
        find_scans([drive])


def test_a_folder_that_is_no_drive(tmp_path):
    with pytest.raises(UserError, match=r"no velodyne/\*\.bin"):
        find_scans([tmp_path])


@pytest.mark.parametrize("seed", range(8))
def test_augmentation_keeps_what_the_labels_say(seed):
    augmented = augment(ring(), np.random.default_rng(seed))
    assert augmented.points.dtype == np.float32
    assert len(augmented.points) == len(augmented.labels)
    assert 0.6 * 5000 < len(augmented.points) <= 5000
    distance = np.linalg.norm(augmented.points[:, :3], axis=1)
    assert ((distance < 15) == (augmented.labels == 1)).all()
    assert np.isfinite(augmented.points).all()
    assert augmented.points[:, 3].min() >= 0
    assert augmented.points[:, 3].max() <= 1


def test_augmentation_leaves_the_scan_alone_and_depends_on_the_seed_only():
    scan, before = ring(), ring()
    first, again, other = (augment(scan, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(scan.points, before.points)
    np.testing.assert_array_equal(first.points, again.points)
    assert len(first.points) != len(other.points) or (first.points != other.points).any()


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
    image, labels = training_sample(ring(), np.random.default_rng(0), height=16, width=128, crop_width=32)
    assert image.shape == (5, 16, 32)
    assert labels.shape == (16, 32)
    assert (image[:, labels == 0] == 0).all()


def test_evaluation_sample_is_the_whole_image():
    image, projection = evaluation_sample(ring(), 16, 128)
    assert image.shape == projection.image.shape == (5, 16, 128)
    assert ((image[0] == 0) == (projection.image[0] < 0)).all()
