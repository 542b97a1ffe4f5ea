"""The loop on a toy: it learns, logs, keeps the best, stops early, goes on to the same bits, shares its batches."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from tests.training.toy import VALIDATION, ToyTask, recipe  # noqa: E402
from training.loop import train  # noqa: E402
from training.recipe import OptimiserSettings, ValidationSettings  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def read_log(out, key):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line[key] for line in lines if key in line}


def weights(path):
    return torch.load(path, weights_only=True)["network"]


def assert_same_bits(left, right):
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


class Interrupted(ToyTask):
    """Dies in the given call of sample."""

    def __init__(self, at):
        self.at, self.calls = at, 0

    def sample(self, index, rng):
        self.calls += 1
        if self.calls == self.at:
            raise InterruptedError
        return super().sample(index, rng)


def test_it_learns_and_writes_everything_down(tmp_path):
    train(ToyTask(), recipe(length="40 steps"), VALIDATION, tmp_path)
    losses = read_log(tmp_path, "loss")
    assert losses[40] < 0.7 * losses[2]
    assert read_log(tmp_path, "loss/main") == losses
    assert read_log(tmp_path, "validation/toy")[3] == 3.0
    assert any((tmp_path / "tensorboard").iterdir())
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 40
    assert torch.load(tmp_path / "best.pt", weights_only=True)["step"] == 3  # later ones were not better


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_resumed_is_uninterrupted(tmp_path, optimiser, ema):
    how = recipe(ema=ema, optimiser=OptimiserSettings(name=optimiser, learning_rate=0.05), readers=2)
    train(ToyTask(), how, VALIDATION, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(Interrupted(at=10), how, VALIDATION, tmp_path / "parts")
    assert torch.load(tmp_path / "parts" / "state.pt", weights_only=True)["step"] in (2, 3, 4)
    train(ToyTask(), how, VALIDATION, tmp_path / "parts", resume=True)
    for name in ("last.pt", "best.pt", "state.pt"):
        assert_same_bits(weights(tmp_path / "whole" / name), weights(tmp_path / "parts" / name))
    assert read_log(tmp_path / "whole", "loss") == read_log(tmp_path / "parts", "loss")


def test_the_number_of_readers_changes_nothing(tmp_path):
    for readers in (1, 3):
        train(ToyTask(), recipe(readers=readers), VALIDATION, tmp_path / str(readers))
    assert_same_bits(weights(tmp_path / "1" / "last.pt"), weights(tmp_path / "3" / "last.pt"))


def test_another_seed_is_another_training(tmp_path):
    for seed in (0, 1):
        train(ToyTask(), recipe(seed=seed), VALIDATION, tmp_path / str(seed))
    left, right = (weights(tmp_path / seed / "last.pt") for seed in "01")
    assert not torch.equal(left["0.weight"], right["0.weight"])


def test_the_average_lags_behind_the_weights(tmp_path):
    train(ToyTask(), recipe(ema=0.9), VALIDATION, tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    saved = weights(tmp_path / "last.pt")
    assert torch.equal(saved["0.weight"], state["average"]["module.0.weight"])
    assert not torch.equal(saved["0.weight"], state["network"]["0.weight"])


def test_every_epoch_has_every_sample_once(tmp_path):
    class Counting(ToyTask):
        def __init__(self):
            self.indices = []

        def sample(self, index, rng):
            self.indices.append(index)
            return super().sample(index, rng)

    task = Counting()
    train(task, recipe(length="2 epochs"), VALIDATION, tmp_path)
    assert len(task.indices) == 10
    assert sorted(task.indices[:5]) == sorted(task.indices[5:]) == list(range(5))
    assert task.indices[:5] != task.indices[5:]


def test_early_stop(tmp_path, capsys):
    task = ToyTask()
    task.scores = [0.1, 0.3, 0.2, 0.3, 0.9]
    how = ValidationSettings(every="1 steps", patience=2)
    train(task, recipe(length="50 steps"), how, tmp_path)
    assert "stopped at step 4: 2 validations were not better" in capsys.readouterr().out
    assert torch.load(tmp_path / "best.pt", weights_only=True)["step"] == 2
    train(task, recipe(length="50 steps"), how, tmp_path, resume=True)  # it stays stopped
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 4


def test_notes_on_the_data_are_said(tmp_path, capsys):
    task = ToyTask()
    task.notes = ["a drive was left out"]
    train(task, recipe(length="1 steps"), VALIDATION, tmp_path)
    assert "a drive was left out" in capsys.readouterr().out


def test_a_loss_that_is_not_finite_stops_before_it_is_saved(tmp_path):
    task = ToyTask()
    task.broken_at = 9  # of the fifth batch of two
    with pytest.raises(UserError, match=r"the loss is not finite at step 5; .*smaller optimiser.learning_rate"):
        train(task, recipe(), VALIDATION, tmp_path)
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "state.pt").values())


def test_first_weights_from_a_checkpoint(tmp_path):
    train(ToyTask(), recipe(), VALIDATION, tmp_path / "first")
    still = OptimiserSettings(name="sgd", learning_rate=1e-30, weight_decay=0.0)
    train(ToyTask(), recipe(seed=7, optimiser=still), VALIDATION, tmp_path / "second", init=tmp_path / "first/last.pt")
    assert_same_bits(weights(tmp_path / "first" / "last.pt"), weights(tmp_path / "second" / "last.pt"))


def test_what_does_not_fit(tmp_path):
    train(ToyTask(), recipe(length="1 steps"), VALIDATION, tmp_path)
    with pytest.raises(UserError, match="holds a training; give --resume"):
        train(ToyTask(), recipe(), VALIDATION, tmp_path)
    with pytest.raises(UserError, match=r"was begun with length=1 steps, not 6 steps"):
        train(ToyTask(), recipe(), VALIDATION, tmp_path, resume=True)
    with pytest.raises(UserError, match=r"no state\.pt in"):
        train(ToyTask(), recipe(), VALIDATION, tmp_path / "nothing", resume=True)
    with pytest.raises(UserError, match="leave one of them out"):
        train(ToyTask(), recipe(), VALIDATION, tmp_path, resume=True, init=tmp_path / "last.pt")
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        train(ToyTask(), recipe(precision="fp16"), VALIDATION, tmp_path / "new")
    other = ToyTask()
    other.data = {"scans": 6}
    with pytest.raises(UserError, match=r"other data \(scans: 5, now 6\)"):
        train(other, recipe(length="1 steps"), VALIDATION, tmp_path, resume=True)
    train(ToyTask(), recipe(), VALIDATION, tmp_path, force=True)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 6


@pytest.mark.timeout(600)  # on a machine that is busy, importing torch twice takes minutes
def test_two_processes_train_as_one(tmp_path):
    """Fair because the toy has neither batch norm nor dropout: then only the order of sums differs."""
    train(ToyTask(), recipe(ema=0.9), VALIDATION, tmp_path / "one")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    shared = os.environ | {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.training.toy", str(tmp_path / "two")]
    ranks = [
        subprocess.Popen(command, cwd=ROOT, env=shared | {"RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE)
        for rank in "01"
    ]
    try:
        for rank in ranks:
            assert rank.wait(timeout=500) == 0, rank.stderr.read().decode()
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()
    one, two = (read_log(tmp_path / name, "loss") for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-5)
    assert read_log(tmp_path / "two", "validation/toy") == read_log(tmp_path / "one", "validation/toy")
    for name, tensor in weights(tmp_path / "one" / "last.pt").items():
        torch.testing.assert_close(weights(tmp_path / "two" / "last.pt")[name], tensor, rtol=1e-4, atol=1e-6)
