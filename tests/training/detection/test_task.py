"""A detector as a task: its samples, what it refuses, and that a few steps learn what a picture shows."""

import json
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from formats.images import read_image  # noqa: E402
from models.detection.checkpoint import load_checkpoint  # noqa: E402
from models.detection.inference import boxes_and_scores  # noqa: E402
from models.detection.inputs import MEANS, STDS, normalised  # noqa: E402
from training.detection.augmentation import Input  # noqa: E402
from training.detection.pictures import PictureStore  # noqa: E402
from training.detection.prediction import predict, to_chw  # noqa: E402
from training.detection.recipe import DetectionRecipe  # noqa: E402
from training.detection.task import DetectionTask  # noqa: E402
from training.loop import train  # noqa: E402
from training.state import seed_of as training_seed  # noqa: E402

H, W = 64, 96
RECIPE = """
family: detector
model: {name: retinanet-r18, arguments: {channels: 16, depth: 1, norm: batch, levels: 3, octaves: 1}}
image: {height: 64, width: 96, fit: letterbox}
data: {training: [train], validation: [val]}
loss: {matching: mutual_guidance}
augmentation: {expand: 1, crop: 1, mirror: 0, photometric: false}
length: 2 steps
batch: 4
optimiser: {name: adamw, learning_rate: 0.002}
schedule: {decay: constant}
precision: fp32
save_every: 100 steps
validation: {every: 100 steps}
threads: 1
"""


def recipe(**changes: Any) -> DetectionRecipe:
    values = yaml.safe_load(RECIPE)
    for group, change in changes.items():
        values[group] = values.get(group, {}) | change if isinstance(change, dict) else change
    return msgspec.convert(values, DetectionRecipe)


def write_set(folder: Path, name: str, pictures: int, *, seed: int) -> None:
    """White squares (class 0) and dark bars (class 1) on grey, one of each in every picture, as COCO's files."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    (folder / name).mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for k in range(pictures):
        image = np.full((H, W, 3), 120, np.uint8)
        x, y = rng.integers(0, 20), rng.integers(0, H - 28)
        u, v = rng.integers(48, W - 40), rng.integers(0, H - 20)
        image[y : y + 28, x : x + 28] = 250
        image[v : v + 16, u : u + 38] = 10
        cv2.imwrite(str(folder / name / f"{k}.png"), image)
        images.append({"id": k, "file_name": f"{k}.png", "width": W, "height": H})
        for category, box in ((1, [x, y, 28, 28]), (2, [u, v, 38, 16])):
            annotations.append({"id": len(annotations) + 1, "image_id": k, "category_id": category,
                                "bbox": [int(value) for value in box], "iscrowd": 0})  # fmt: skip
    categories = [{"id": 1, "name": "square"}, {"id": 2, "name": "bar"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / f"instances_{name}.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_set(folder, "train", 8, seed=0)
    write_set(folder, "val", 2, seed=1)
    return folder


def test_a_sample_is_the_picture_with_its_objects_filled_up(data: Path) -> None:
    task = DetectionTask(recipe(), [data])
    assert (task.samples, task.validation_samples) == (8, 2)
    assert task.data["classes"] == ["square", "bar"]
    image, boxes, labels = task.sample(3, np.random.default_rng(0))
    np.testing.assert_array_equal(image, read_image(data / "train" / "3.png")[..., ::-1].transpose(2, 0, 1))
    assert (image.dtype, boxes.dtype, labels.dtype) == (np.uint8, np.float32, np.int64)
    assert boxes.shape == (2, 4)
    for (x1, y1, x2, y2), label in zip(boxes.astype(int), labels, strict=True):
        assert (image[:, y1:y2, x1:x2] == (250, 10)[label]).all()


def test_a_few_steps_learn_and_the_score_is_cocos(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = DetectionTask(recipe(length="24 steps", validation={"every": "24 steps"}), [data])
    train(task, task._recipe, task._recipe.validation, tmp_path / "out")
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert losses[-1] < 0.7 * losses[0]
    scores = {k: v for k, v in log[-1].items() if k.startswith("validation/")}
    assert 0 <= scores["validation/ap"] <= scores["validation/ap50"] <= 1
    assert scores["validation/ap50"] > 0.02
    checkpoint = load_checkpoint(tmp_path / "out" / "last.pt")
    assert (checkpoint.name, checkpoint.size, checkpoint.fit) == ("retinanet-r18", (H, W), "letterbox")
    assert checkpoint.class_names == ("square", "bar")
    assert checkpoint.trained_on == "8 pictures of train"
    again = DetectionTask(recipe(model={"arguments": {"channels": 32}}), [data])
    with pytest.raises(UserError, match=r"--init .*last\.pt: has model\.arguments"):
        again.load(again.network(), tmp_path / "out" / "last.pt")
    network = task.network()
    task.load(network, tmp_path / "out" / "last.pt")
    torch.testing.assert_close(network.state_dict(), checkpoint.network)


TWO_STAGE = {"channels": 16, "hidden": 32, "before_nms": 50, "proposals": 20, "regions_per_image": 16}


@pytest.mark.parametrize(
    ("model", "matching"),
    [
        ({}, "iou"),
        ({}, "localize_to_classify"),
        ({}, "classify_to_localize"),
        ({}, "ltm"),
        ({"name": "faster-rcnn-r18", "arguments": TWO_STAGE}, None),
    ],
)
def test_all_losses_are_finite_with_a_picture_without_objects(
    data: Path, model: dict[str, Any], matching: str | None
) -> None:
    task = DetectionTask(recipe(model=model, loss={"matching": matching}), [data])
    network = task.network()
    parts = [task.sample(i, np.random.default_rng(0)) for i in range(2)]
    batch = [torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)]
    batch[2][1] = -1  # the second picture has none
    losses = task.losses(network, batch)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    with torch.no_grad():
        found = task.validate(network.eval(), range(2), lambda: None)
    assert [i for i, _ in found] == [0, 1]
    assert 0 <= task.score([found]).value <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "retinet"}}, "model.name 'retinet' is not known; did you mean"),
        ({"model": {"arguments": {"classes": 3}}}, "model.arguments.classes: the classes are those of the data"),
        ({"data": {"training": ["train", "val"], "validation": []}, "image": {"height": 32}}, None),
        ({"data": {"training": ["trane"]}}, "data.training: nothing named 'trane' in --data"),
        ({"data": {"classes": "road-users"}}, "no class of the data"),
        ({"loss": {"matching": "mutual"}}, "matching 'mutual' is not known"),
        ({"loss": {"numbers": {"beta": 3}}}, "mutual_guidance takes no 'beta'"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(data: Path, changes: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert DetectionTask(recipe(**changes), [data]).samples == 10
        return
    with pytest.raises(UserError, match=message):
        DetectionTask(recipe(**changes), [data])


def test_a_one_stage_network_needs_a_matching(data: Path) -> None:
    with pytest.raises(UserError, match=r"retinanet-r18: needs loss\.matching"):
        DetectionTask(recipe(loss={"matching": None}), [data]).network()


def test_what_is_validated_on_is_not_trained_on(data: Path, tmp_path: Path) -> None:
    write_set(tmp_path, "train", 1, seed=0)
    content = (tmp_path / "annotations" / "instances_train.json").read_text()
    (tmp_path / "annotations" / "instances_val.json").write_text(content.replace('"0.png"', '"../train/0.png"'))
    (tmp_path / "val").mkdir()
    with pytest.raises(UserError, match=r"0\.png: is in data\.training and in data\.validation"):
        DetectionTask(recipe(), [tmp_path])


def test_pictures_kept_are_the_pictures_read_again(data: Path) -> None:
    size = Input(32, 32, "letterbox")  # a third of the pictures: they are kept at half their size
    task = DetectionTask(recipe(), [data])
    kept, read = PictureStore(size, 1 << 20), PictureStore(size, 0)
    for picture in task._pictures[:3]:
        first = kept.read(picture)
        assert first.shape == (H // 2, W // 2, 3)
        assert kept.read(picture) is first
        assert read.read(picture) is not read.read(picture)
        np.testing.assert_array_equal(read.read(picture), first)


def test_the_networks_input_is_normalised_as_imagenets() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    found = normalised(torch.from_numpy(to_chw(image))[None])[0].numpy()
    for channel in range(3):
        wanted = (image[..., 2 - channel] / 255 - MEANS[channel]) / STDS[channel]
        np.testing.assert_allclose(found[channel], wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["retinanet-r18", "fcos-r18"])
def test_predictions_are_in_the_pictures_pixels_best_first(name: str) -> None:
    from models.detection.build import make_detector

    torch.manual_seed(0)
    network = make_detector(name, 2, channels=8, depth=1, levels=3, norm="none").eval()
    images = [np.random.default_rng(k).integers(0, 256, (50 + 20 * k, 90, 3), np.uint8) for k in range(2)]
    with torch.no_grad():
        boxes, scores = boxes_and_scores(network, torch.zeros(1, 3, 64, 96))
        found = predict(network, images, Input(64, 96, "letterbox"), 0.0, 0.5)
    assert boxes.shape[:2] == scores.shape[:2]
    assert 0 <= scores.min() <= scores.max() <= 1
    for image, (boxes, scores, class_ids) in zip(images, found, strict=True):
        assert 0 < len(boxes) == len(scores) == len(class_ids) <= 100
        assert (np.diff(scores) <= 0).all()
        assert set(class_ids) <= {0, 1}
        assert (boxes >= 0).all()
        assert (boxes <= np.array([image.shape[1], image.shape[0]] * 2)).all()


@pytest.mark.parametrize("freeze", ["statistics", "all"])
def test_what_is_frozen_of_the_backbone_stays_and_the_rest_learns(data: Path, tmp_path: Path, freeze: str) -> None:
    from models.detection.backbones import make_backbone

    torch.manual_seed(1)
    given = make_backbone("resnet18").state_dict()
    torch.save(given, tmp_path / "imagenet.pth")
    how = recipe(model={"imagenet": str(tmp_path / "imagenet.pth"), "freeze": freeze})
    task = DetectionTask(how, [data])
    train(task, how, how.validation, tmp_path / "out")
    learnt = load_checkpoint(tmp_path / "out" / "last.pt").network
    kept = {name for name, value in given.items() if torch.equal(learnt[f"backbone.{name}"], value)}
    statistics = {name for name in given if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert kept == (given.keys() if freeze == "all" else statistics)
    torch.manual_seed(training_seed(how.seed))
    begun = task.network().state_dict()
    changed = {name.split(".")[0] for name, value in learnt.items() if not torch.equal(value, begun[name])}
    assert changed >= {"neck", "head"}


def test_nothing_of_random_weights_is_frozen(data: Path) -> None:
    with pytest.raises(UserError, match=r"model\.freeze: all of random weights would be kept; give model\.imagenet"):
        DetectionTask(recipe(model={"freeze": "all"}), [data])
