"""Proposals as a task: truth and windows of a video, learning, going on to the same bits, scores, mistakes."""

import json

import msgspec
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from evaluation.proposals.protocol import PROTOCOLS, recall_curve  # noqa: E402
from models.bcgnn.checkpoint import load_checkpoint  # noqa: E402
from models.bcgnn.labels import assign  # noqa: E402
from tests.training.proposals.small_videos import RECIPE, make_data, write_database  # noqa: E402
from training.loop import train  # noqa: E402
from training.processes import Process  # noqa: E402
from training.proposals.recipe import ProposalRecipe  # noqa: E402
from training.proposals.task import ProposalTask  # noqa: E402
from training.reading import make_batch  # noqa: E402

SLIDING = {"windows": {"style": "sliding", "stride": 8, "step_s": 0.5}, "model": {"max_duration": 8}}
FAMILIES = ("bcgnn", "bmn", "sliding-window")


def recipe(**changes):
    values = yaml.safe_load(RECIPE)
    for group, change in changes.items():
        values[group] = values.get(group, {}) | change if isinstance(change, dict) else change
    return msgspec.convert(values, ProposalRecipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(how, folder, out, **options):
    train(ProposalTask(how, [folder]), how, how.validation, out, **options)


def logged(out, key):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line[key] for line in lines if key in line]


def test_a_rescaled_video_is_one_window_with_its_truth(data):
    task = ProposalTask(recipe(), [data])
    assert (task.samples, task.validation_samples) == (2, 2)
    features, start, end, content = task.sample(1, np.random.default_rng(0))  # v2: 2.0 to 7.0 of 10 s
    assert features.shape == (5, 16)
    truth = assign(np.array([[2.0, 7.0]]), (np.arange(16) + 0.5) * 10 / 16, least_margin_s=10 / 32)
    for found, expected in zip((start, end, content), truth, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert all(part.any() for part in (start, end, content))


def test_sliding_windows_have_the_truth_of_their_time(data):
    task = ProposalTask(recipe(**SLIDING), [data])
    assert task.samples == 4  # of 20 snippets, windows of 16 from 0 and from 8
    whole = np.load(data / "features" / "v2.npy")
    features, start, end, content = task.sample(3, np.random.default_rng(0))
    np.testing.assert_array_equal(features[:, :12], whole[:, 8:])
    assert not features[:, 12:].any()
    # The action of v2 lasts from snippet 4 to 13: its end at 7.0 s is in this window, its start is not.
    assert not start.any()
    assert not content.any()
    assert (4.25 + 0.5 * np.flatnonzero(end)).tolist() == [6.75, 7.25]


def test_truth_is_cut_to_the_video_and_scored_as_annotated(tmp_path):
    folder = make_data(tmp_path / "data")
    database = json.loads((folder / "annotations.json").read_text())["database"]
    beyond = [{"segment": [5.0, 40.0], "label": "a"}, {"segment": [30.0, 35.0], "label": "a"}]
    for video in database.values():
        video["annotations"] = beyond
    write_database(folder, database)
    task = ProposalTask(recipe(), [folder])
    _, _, end, _ = task.sample(0, np.random.default_rng(0))
    assert end[-1]  # the first action ends with the video; the second is not in it
    found = task.validate(task.network().eval().requires_grad_(False), [0], lambda: None)
    assert found["v1"][0].tolist() == [[5.0, 40.0], [30.0, 35.0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_steps_overfit_one_video_and_find_its_action(tmp_path, family):
    folder = make_data(tmp_path / "data", videos=1)
    how = recipe(
        family=family,
        length="120 steps",
        batch=1,
        data={"validation": "training"},
        validation={"every": "120 steps"},
    )
    run(how, folder, tmp_path / "out")
    losses = logged(tmp_path / "out", "loss")
    assert losses[-1] < 0.2 * losses[0]
    recall = logged(tmp_path / "out", "validation/ar_at_100")[-1]
    assert recall >= (0.2 if family == "sliding-window" else 0.6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("changes", [{}, SLIDING], ids=["rescaled", "sliding"])
def test_resumed_is_uninterrupted(data, tmp_path, family, changes):
    how = recipe(family=family, **changes)

    class Interrupted(ProposalTask):
        calls = 0

        def sample(self, index, rng):
            self.calls += 1
            if self.calls == 9:
                raise InterruptedError
            return super().sample(index, rng)

    run(how, data, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(Interrupted(how, [data]), how, how.validation, tmp_path / "parts")
    run(how, data, tmp_path / "parts", resume=True)
    left, right = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert left["family"] == right["family"] == family
    assert left["step"] == right["step"] == 6
    for name, tensor in left["network"].items():
        assert torch.equal(tensor, right["network"][name]), name
    assert logged(tmp_path / "whole", "loss") == logged(tmp_path / "parts", "loss")
    assert logged(tmp_path / "whole", "validation/auc") == logged(tmp_path / "parts", "validation/auc")


def test_a_batch_is_the_same_each_time(data):
    task, how = ProposalTask(recipe(), [data]), recipe()
    once, again = (make_batch(task, how, Process(0, 1, torch.device("cpu")), 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_the_checkpoint_says_what_it_was_trained_on_and_others_start_from_it(data, tmp_path):
    run(recipe(), data, tmp_path / "out")
    checkpoint = load_checkpoint(tmp_path / "out" / "last.pt")
    assert checkpoint.trained_on == "2 videos of annotations.json, subset training"
    assert (checkpoint.arguments["length"], checkpoint.style, checkpoint.step_s) == (16, "rescaled", None)
    run(recipe(length="1 steps", optimiser={"learning_rate": 1e-9}), data, tmp_path / "next",
        init=tmp_path / "out" / "last.pt")  # fmt: skip
    for name, tensor in load_checkpoint(tmp_path / "next" / "last.pt").network.items():
        torch.testing.assert_close(tensor, checkpoint.network[name], rtol=1e-4, atol=1e-6)
    for family, changes, problem in [
        ("bcgnn", {"model": {"dim": 4}}, "last.pt: has {'feature_dim': 5"),
        ("bmn", {}, "last.pt: not a checkpoint of bmn"),
    ]:
        with pytest.raises(UserError, match=problem):
            run(recipe(family=family, **changes), data, tmp_path / "no", init=tmp_path / "out" / "last.pt")


def test_the_checkpoint_says_how_far_apart_snippets_are(data, tmp_path):
    run(recipe(length="1 steps", **SLIDING), data, tmp_path / "out")
    checkpoint = load_checkpoint(tmp_path / "out" / "last.pt")
    assert (checkpoint.style, checkpoint.step_s) == ("sliding", SLIDING["windows"]["step_s"])


def test_baselines_start_from_their_own_checkpoints(data, tmp_path):
    how = recipe(family="bmn", length="1 steps")
    run(how, data, tmp_path / "out")
    run(how, data, tmp_path / "next", init=tmp_path / "out" / "last.pt")
    with pytest.raises(UserError, match=r"last\.pt: its network has other sizes"):
        run(recipe(family="bmn", model={"dim": 4}), data, tmp_path / "no", init=tmp_path / "out" / "last.pt")


def test_scores_are_those_of_the_evaluator(data):
    task = ProposalTask(recipe(), [data])
    truths = {"a": np.array([[0.0, 4.0]]), "b": np.array([[1.0, 3.0], [5.0, 9.0]])}
    proposals = {"a": np.array([[0.0, 3.0], [0.0, 4.0]]), "b": np.array([[1.0, 2.9]])}
    curve = recall_curve(truths, proposals, PROTOCOLS["activitynet"])
    score = task.score([{"a": (truths["a"], proposals["a"])}, {"b": (truths["b"], proposals["b"])}])
    assert score.value == score.details["auc"] == curve.auc
    assert score.details["ar_at_100"] == curve.at(100).mean()
    assert task.score([{"a": (truths["a"], np.empty((0, 2)))}]).value == 0  # no proposal yet is no reason to stop


def test_videos_without_features_are_said(tmp_path):
    folder = make_data(tmp_path / "data", videos=6)
    (folder / "features" / "v4.npy").unlink()
    assert ProposalTask(recipe(), [folder]).notes == ["left out, 1 of 3 training without features: v4"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"feature_dim": 6}}, r"v0\.npy: .* neither side is the model's feature dimension 6"),
        ({"model": {"max_duration": 16}}, "model.max_duration: 16 does not fit into a window of 16"),
        ({"model": {"variant": "gcn"}, "family": "bmn"}, "model.variant: gcn is of BC-GNN's graph"),
        ({"windows": {"stride": 4}}, "windows: stride and step_s are for style sliding"),
        ({"windows": {"style": "sliding", "stride": 17}}, "windows.stride: 17 leaves snippets out"),
        ({"windows": {"style": "sliding"}}, r"v0\.npy: nothing beside it says .* windows.step_s=SECONDS"),
        (
            {"data": {"training": "trainning"}},
            r"data.training: .*annotations\.json has no subset 'trainning'; did you mean .*training",
        ),
        ({"data": {"features": "none"}}, "none: no such folder of features"),
        ({"data": {"annotations": "none.json"}}, r"no such file: .*none\.json"),
    ],
)
def test_what_does_not_fit_is_one_line(data, changes, problem):
    with pytest.raises(UserError, match=problem) as raised:
        ProposalTask(recipe(**changes), [data])
    assert "\n" not in str(raised.value)


def test_bad_data_are_one_line(tmp_path):
    def broken(name, change):
        folder = make_data(tmp_path / name)
        database = json.loads((folder / "annotations.json").read_text())["database"]
        change(folder, database)
        write_database(folder, database)
        return folder

    def nan(folder, database):
        np.save(folder / "features" / "v0.npy", np.full((5, 20), np.nan, np.float32))

    def backwards(folder, database):
        database["v1"]["annotations"][0]["segment"] = [5.0, 2.0]

    def no_duration(folder, database):
        del database["v0"]["duration"]

    def no_actions(folder, database):
        for video in database.values():
            video["annotations"] = []

    def nothing_to_score(folder, database):
        database["v1"]["annotations"] = database["v3"]["annotations"] = []

    def no_features(folder, database):
        for file in (folder / "features").iterdir():
            file.rename(file.with_name(f"x{file.name}"))

    for change, problem in [
        (nan, r"v0\.npy: value 0 of snippet 0 is nan"),
        (backwards, "video 'v1', annotation 0: ends at 2 s, before it starts at 5 s"),
        (no_duration, r"v0\.npy: the annotations do not say how long video 'v0' is"),
        (no_actions, r"annotations\.json: no action in subset training to learn from"),
        (nothing_to_score, r"annotations\.json: no action in subset validation to validate on"),
        (no_features, "no features of any video of subset training, such as v0"),
    ]:
        with pytest.raises(UserError, match=problem):
            ProposalTask(recipe(), [broken(change.__name__, change)])
    with pytest.raises(UserError, match="--data: give one folder"):
        ProposalTask(recipe(), [tmp_path, tmp_path])
