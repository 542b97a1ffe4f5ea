"""SqueezeSegV3 as a task: it learns, what is validated is what the protocol says, checkpoints know what they are."""

import msgspec
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from evaluation.segmentation.protocol import confusion  # noqa: E402
from formats.labelled_scans import read_scan  # noqa: E402
from formats.labels import load_label_table  # noqa: E402
from models.squeezesegv3.checkpoint import load_checkpoint  # noqa: E402
from tests.training.street import RECIPE, make_drives  # noqa: E402
from training import segmentation  # noqa: E402
from training.loop import train  # noqa: E402
from training.segmentation import SegmentationRecipe, SegmentationTask  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    return make_drives(tmp_path_factory.mktemp("drives"))


def recipe(**changes):
    values = yaml.safe_load(RECIPE)
    for group, change in changes.items():
        values[group] = values.get(group, {}) | change if isinstance(change, dict) else change
    return msgspec.convert(values, SegmentationRecipe)


@pytest.fixture(scope="module")
def trained(drives, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    how = recipe(length="25 steps", save_every="25 steps", validation={"every": "25 steps"}, loss={"lovasz": 0.5})
    train(SegmentationTask(how, [drives]), how, how.validation, out)
    return out


def test_it_learns(trained):
    state = torch.load(trained / "state.pt", weights_only=True)
    assert state["best"] > 0.6  # of road and building
    assert '"loss/lovasz"' in (trained / "log.jsonl").read_text()


def test_a_checkpoint_says_what_it_is(trained):
    checkpoint = load_checkpoint(trained / "best.pt")
    assert (checkpoint.layers, checkpoint.sac, checkpoint.height, checkpoint.width) == (21, "isk", 8, 64)
    assert checkpoint.step == 25
    assert checkpoint.trained_on == "2 scans of street"
    assert checkpoint.label_names == load_label_table().names


@pytest.mark.parametrize("knn", [None, 0, 5])
def test_a_network_that_is_right_scores_high(drives, knn, monkeypatch):
    task = SegmentationTask(recipe(validation={"knn": knn, "every": "1 steps"}), [drives])
    classes = len(load_label_table().names)

    class Right(torch.nn.Module):
        """Below the horizon there is road, above it building."""

        def forward(self, image):
            rows = torch.arange(image.shape[2])[:, None].expand(image.shape[2:])
            steep = (1 - (np.radians(-8) + np.radians(25)) / np.radians(28)) * image.shape[2]
            label = torch.where(rows >= int(steep), 9, 13)
            return torch.nn.functional.one_hot(label, classes).movedim(2, 0)[None].float()

        def parameters(self):
            return iter([torch.zeros(1)])

    monkeypatch.setattr(segmentation, "inference_form", lambda network: network)
    counts = task.validate(Right(), [0], lambda: None)
    assert counts.shape == (classes, classes)
    assert task.score([counts, counts]).value > 0.8
    scan = read_scan(task._validation[0], load_label_table())
    if knn is not None:
        assert (counts.sum(1) == confusion(scan.labels, scan.labels, classes).sum(1)).all()


def test_a_training_goes_on_from_given_weights(drives, trained, tmp_path):
    """The optimiser must hold the parameters that the checkpoint was loaded into."""
    how = recipe(length="3 steps", optimiser={"learning_rate": 0.01}, schedule={"warm_up": "0 steps"})
    train(SegmentationTask(how, [drives]), how, how.validation, tmp_path / "out", init=trained / "best.pt")
    before, after = (load_checkpoint(path).network for path in (trained / "best.pt", tmp_path / "out/last.pt"))
    weights = [name for name in before if name.endswith("weight")]
    unchanged = [name for name in weights if torch.equal(before[name], after[name])]
    assert not unchanged


def test_weights_of_another_network_are_refused(drives, trained):
    task = SegmentationTask(recipe(model={"layers": 21, "sac": "none"}), [drives])
    with pytest.raises(UserError, match=r"has sac=isk, the recipe none"):
        task.load(task.network(), trained / "best.pt")


def test_fewer_validation_scans_are_spread(drives):
    task = SegmentationTask(recipe(data={"training": ["held-out"], "validation": ["street"]}), [drives])
    assert task.validation_samples == 2
    task = SegmentationTask(
        recipe(data={"training": ["held-out"], "validation": ["street"]}, validation={"scans": 1}), [drives]
    )
    assert task.validation_samples == 1


def test_a_window_wider_than_the_image(drives):
    with pytest.raises(UserError, match=r"image\.crop_width: 128 is more than the width, 64"):
        SegmentationTask(recipe(image={"crop_width": 128}), [drives])


def test_what_has_no_labels_is_noted(drives, tmp_path):
    make_drives(tmp_path)
    (tmp_path / "test" / "velodyne").mkdir(parents=True)
    assert SegmentationTask(recipe(), [tmp_path]).notes == ["left out, no labels/: test"]
    assert SegmentationTask(recipe(), [drives]).notes == []
