"""The snippet encoder as a task: what a snippet is taught, scores against slow ones, what a checkpoint says."""

import json

import cv2
import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from formats.labelled_scans import Recording  # noqa: E402
from models.two_stream.checkpoint import load_checkpoint  # noqa: E402
from models.two_stream.snippets import SnippetSettings  # noqa: E402
from training.action_snippets import FilmedDrive, augmented, happening, mirrored, read_drive, twin_classes  # noqa: E402
from training.actions import ActionRecipe, ActionTask, average_precision  # noqa: E402
from training.loop import train  # noqa: E402

RECIPE = """
family: two-stream
model: {stream_dim: 4}
snippet: {height: 32, width: 32}
data: {validation: [held-out]}
length: 6 steps
batch: 8
optimiser: {name: adamw, learning_rate: 0.003}
schedule: {decay: cosine, warm_up: 2 steps}
precision: fp32
save_every: 6 steps
validation: {every: 6 steps}
threads: 1
"""


def recipe(**changes):
    values = yaml.safe_load(RECIPE)
    for group, change in changes.items():
        values[group] = values.get(group, {}) | change if isinstance(change, dict) else change
    return msgspec.convert(values, ActionRecipe)


def make_drive(folder, seconds=4.0, actions=((1.2, 2.4),), label="vehicle turns left"):
    """Five frames a second, dark but for its actions."""
    (folder / "image_2").mkdir(parents=True)
    (folder / "velodyne").mkdir()
    times = np.arange(round(5 * seconds)) / 5
    for k, time_s in enumerate(times):
        bright = any(start <= time_s < end for start, end in actions)
        cv2.imwrite(str(folder / "image_2" / f"{k:06d}.png"), np.full((24, 64, 3), 200 if bright else 20, np.uint8))
    (folder / "times.txt").write_text("".join(f"{time_s:.6f}\n" for time_s in times))
    annotations = [{"segment": list(segment), "label": label} for segment in actions]
    database = {folder.name: {"duration": seconds, "subset": "simulation", "annotations": annotations}}
    (folder / "actions.json").write_text(json.dumps({"database": database}))
    return folder


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    root = tmp_path_factory.mktemp("drives")
    make_drive(root / "street")
    make_drive(root / "held-out", actions=((0.0, 0.6), (3.0, 3.6)))
    (root / "unfilmed" / "velodyne").mkdir(parents=True)
    return root


def test_pictures_are_those_of_the_sample_times(tmp_path):
    make_drive(tmp_path / "street")
    drive = read_drive(Recording("street", tmp_path / "street"), SnippetSettings(height=32, width=32))
    assert drive.images_bgr.shape == (20, 32, 32, 3)
    assert (np.flatnonzero(drive.images_bgr[:, 0, 0, 0] > 100) / 5).tolist() == pytest.approx(np.arange(6, 12) / 5)
    assert drive.labels == ("vehicle turns left",)


def test_an_action_happens_where_it_has_half_of_the_snippet_or_of_itself():
    drive = FilmedDrive("", np.empty(0), np.array([[1.0, 2.0], [1.4, 1.6]]), ("turns", "blinks"))
    classes = ("blinks", "turns", "no action")
    for start_s, expected in [(0.0, "no action"), (0.69, "no action"), (0.71, "turns"), (1.1, "turns blinks"),
                              (1.51, "turns"), (1.71, "no action")]:  # fmt: skip
        truth = happening(drive, classes, start_s, start_s + 0.6)
        assert {c for c, is_true in zip(classes, truth, strict=True) if is_true} == set(
            [expected] if expected == "no action" else expected.split()
        )
    assert happening(drive, ("no action",), 1.1, 1.7).tolist() == [0]


def test_a_mirror_exchanges_left_and_right_alone():
    classes = ("vehicle turns left", "vehicle turns right", "looks left", "waits")
    twins = twin_classes(classes)
    assert twins.tolist() == [1, 0, 2, 3]
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    turned, truth = mirrored(images, np.array([1, 0, 0, 1], np.float32), twins)
    assert truth.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(turned[:, :, 0], images[:, :, 3])


def test_augmentation_is_the_same_for_all_samples_of_a_snippet():
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(30, 200, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    changed = augmented(np.stack([image] * 3), np.random.default_rng(5))
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed[0], image)
    np.testing.assert_array_equal(changed[0], changed[2])


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_average_precision_by_counting(items):
    scores, truth = np.array([s for s, _ in items], float), np.array([t for _, t in items])
    if not truth.any():
        return
    precisions = [truth[scores >= score].mean() for score, is_true in items if is_true]
    assert average_precision(scores, truth) == pytest.approx(np.mean(precisions))


def test_a_training_learns_what_is_to_be_seen(drives, tmp_path):
    how = recipe()
    task = ActionTask(how, [drives])
    assert task.data["classes"] == ["vehicle turns left", "no action"]
    assert (task.samples, task.validation_samples) == (18, 6)
    assert any("unfilmed" in note for note in task.notes)
    train(task, how, how.validation, tmp_path / "out")
    state = torch.load(tmp_path / "out" / "state.pt", weights_only=True)
    assert 0 < state["best"] <= 1
    checkpoint = load_checkpoint(tmp_path / "out" / "best.pt")
    assert checkpoint.label_names == ("vehicle turns left", "no action")
    assert checkpoint.trained_on == "18 snippets of 1 simulated drives"
    assert checkpoint.settings == SnippetSettings(height=32, width=32)
    score = task.score([(np.array([[2.0, -1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([[1, 0], [0, 1], [1, 0]]))])
    assert score.value == 1
    assert score.details["mean_ap_by_chance"] == pytest.approx(0.5)


def test_samples_are_repeatable_and_labels_follow_the_picture(drives):
    task = ActionTask(recipe(), [drives])
    for index in range(task.samples):
        rgb, flow, truth = task.sample(index, np.random.default_rng(index))
        again = task.sample(index, np.random.default_rng(index))
        assert all(np.array_equal(a, b) for a, b in zip((rgb, flow, truth), again, strict=True))
        assert (rgb.shape, flow.shape, truth.dtype) == ((3, 32, 32), (4, 32, 32), np.float32)
        assert (rgb.mean() > 0) == (truth[0] == 1)


def test_imagenet_weights_are_kept(drives, tmp_path):
    torch.manual_seed(3)
    from models.mobilenetv2 import MobileNetV2

    given = MobileNetV2().state_dict()
    torch.save(given, tmp_path / "imagenet.pt")
    how = recipe(model={"imagenet": str(tmp_path / "imagenet.pt")}, length="2 steps", data={"validation": []})
    task = ActionTask(how, [drives])
    train(task, how, how.validation, tmp_path / "out")
    kept = load_checkpoint(tmp_path / "out" / "last.pt").network
    assert all(torch.equal(kept[f"rgb.{name}"], value) for name, value in given.items())
    torch.save({"features.0": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt: not the weights of MobileNetV2"):
        ActionTask(recipe(model={"imagenet": str(tmp_path / "other.pt")}), [drives]).network()


def test_mistakes(drives, tmp_path):
    with pytest.raises(UserError, match=r"no drive with actions\.json and pictures"):
        ActionTask(recipe(), [drives / "unfilmed"])
    with pytest.raises(UserError, match="snippet: a snippet has a length"):
        ActionTask(recipe(snippet={"height": 8}), [drives])
    make_drive(tmp_path / "short", seconds=0.4)
    with pytest.raises(UserError, match="every drive is shorter than a snippet"):
        ActionTask(recipe(data={"validation": []}), [tmp_path / "short"])
    (tmp_path / "short" / "actions.json").write_text("{}")
    with pytest.raises(UserError, match=r"actions\.json: has no videos"):
        ActionTask(recipe(data={"validation": []}), [tmp_path / "short"])
