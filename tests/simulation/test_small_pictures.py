"""``camera.scale``: smaller pictures of the same street, and everything that speaks of pixels with them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import UserError
from formats import kitti_tracking, recording
from formats.images import read_image
from simulation import drive, rig
from simulation.folder import PREVIEW, DriveFolder
from simulation.preview import make_preview
from simulation.recipe import LEFT, Recipe
from simulation.settings import Settings, changed

SCALE, WIDTH, HEIGHT = 0.4, 497, 150
BUSY = ["street.district=city", "traffic.vehicles=2", "camera.noise=0"]
TRUTH = ("depth", "flow", "scene-flow", "instances")


def recipe(scale: float, **more) -> Recipe:
    return Recipe(frames=2, seed=12345, settings=changed(Settings(), [*BUSY, f"camera.scale={scale}"]), **more)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drives") / "small"
    drive.simulate(out, recipe(SCALE, truth=TRUTH))
    return out


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drives") / "large"
    drive.simulate(out, recipe(1.0))
    return out


def test_the_picture_is_the_large_one_shrunk(small: Path, large: Path) -> None:
    ours, theirs = (read_image(folder / "image_2" / "000001.png").astype(float) for folder in (small, large))
    assert ours.shape == (HEIGHT, WIDTH, 3)
    shrunk = cv2.resize(theirs, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    aside = np.roll(shrunk, 2, axis=1)
    assert np.corrcoef(ours.ravel(), shrunk.ravel())[0, 1] > 0.95
    assert np.abs(ours - shrunk).mean() < 0.7 * np.abs(ours - aside).mean()


def test_only_pixels_change(small: Path, large: Path) -> None:
    for name in ("velodyne/000001.bin", "labels/000001.label", "poses.txt", "times.txt"):
        assert (small / name).read_bytes() == (large / name).read_bytes()


def test_dense_truth_has_the_picture_s_size(small: Path) -> None:
    shapes = {
        folder: {array.shape[:2] for array in np.load(small / folder / "000001.npz").values()}
        for folder in ("depth_2", "flow_2", "scene_flow_2")
    }
    assert all(found == {(HEIGHT, WIDTH)} for found in shapes.values())
    assert cv2.imread(str(small / "instances_2" / "000001.png"), cv2.IMREAD_UNCHANGED).shape == (HEIGHT, WIDTH)


def test_boxes_are_the_large_one_s_scaled(small: Path, large: Path) -> None:
    ours, theirs = (
        {(label.frame, label.track_id): label for label in kitti_tracking.read(folder / "label_02" / "0000.txt")}
        for folder in (small, large)
    )
    pairs = [(label, theirs[key]) for key, label in ours.items() if label.box_px[3] - label.box_px[1] > 12]
    assert len(pairs) > 10
    for mine, other in pairs:
        outer = np.add(other.box_px, (-0.5, -0.5, 0.5, 0.5))  # pixel centres are at whole numbers
        expected = (outer + 0.5) * SCALE - 0.5 + (0.5, 0.5, -0.5, -0.5)
        np.testing.assert_allclose(mine.box_px, expected, atol=1.6)  # thin ends fall between the pixels


def test_calibration_says_so_in_both_layouts(small: Path, tmp_path: Path) -> None:
    points = np.random.default_rng(1).uniform((4, -3, -1), (40, 3, 2), (50, 3))
    large_px, _ = rig.project(points)
    raw = recipe(SCALE, layout="raw")
    drive.simulate(tmp_path, raw)
    for folder in (small, DriveFolder(tmp_path, raw).root):
        calibration = recording.camera_frames(folder, LEFT, 10.0).calibration
        image = np.c_[points, np.ones(50)] @ calibration.lidar_to_image.T
        np.testing.assert_allclose(image[:, :2] / image[:, 2:], (large_px + 0.5) * SCALE - 0.5, atol=1e-6)
    assert calibration.image_size == (WIDTH, HEIGHT)
    cameras = json.loads((small / "drive.json").read_text())["sensors"]["cameras"]
    assert (cameras["width"], cameras["height"]) == (WIDTH, HEIGHT)
    [video] = json.loads((small / "actions.json").read_text())["database"].values()
    assert video["resolution"] == f"{WIDTH}x{HEIGHT}"


def test_the_preview_draws_it(small: Path) -> None:
    assert make_preview(small, recipe(SCALE, truth=TRUTH)) == small / PREVIEW
    assert (small / PREVIEW).stat().st_size > 10_000


def test_smaller_pictures_take_less_of_the_disk() -> None:
    bare = recipe(1.0, cameras=()).bytes_per_frame()
    pictures = recipe(1.0).bytes_per_frame() - bare
    assert recipe(0.5).bytes_per_frame() == bare + pictures // 4


@pytest.mark.parametrize("scale", ["0", "0.05", "1.5", "nan", "half"])
def test_a_scale_that_cannot_be(scale: str) -> None:
    with pytest.raises(UserError, match=r"--set camera.scale="):
        changed(Settings(), [f"camera.scale={scale}"])
