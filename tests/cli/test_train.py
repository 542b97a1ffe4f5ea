"""``run.py train`` as a user calls it: killed and resumed, interrupted, given what does not fit."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from cli.main import main  # noqa: E402
from tests.training.street import RECIPE, make_drives  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    return make_drives(tmp_path_factory.mktemp("drives"))


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe-of-test.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def weights(path):
    return torch.load(path, weights_only=True)["network"]


def start(*arguments):
    command = [sys.executable, str(ROOT / "run.py"), "train", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def logged(out, step):
    log = out / "log.jsonl"
    return log.is_file() and f'"step": {step},' in log.read_text()


def wait_for_step(process, out, step):
    while not logged(out, step):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_killed_and_resumed_is_uninterrupted(drives, recipe, tmp_path, capsys):
    """Bit by bit, on a processor: the kill comes where it comes, in the middle of a step or of a file."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    process = start(recipe, "--data", drives, "--out", parts)
    wait_for_step(process, parts, 2)
    process.kill()
    process.communicate()
    assert torch.load(parts / "state.pt", weights_only=True)["step"] < 4
    assert main(["train", str(recipe), "--data", str(drives), "--out", str(parts), "--resume"]) == 0
    assert "from step" in capsys.readouterr().out
    assert main(["train", str(recipe), "--data", str(drives), "--out", str(whole)]) == 0
    for name in ("state.pt", "last.pt", "best.pt"):
        left, right = weights(whole / name), weights(parts / name)
        assert left.keys() == right.keys()
        assert all(torch.equal(left[key], right[key]) for key in left), name


def test_ctrl_c_saves_and_exits_130(drives, recipe, tmp_path, capsys):
    out = tmp_path / "out"
    given = ["--set", "length=500 steps", "--set", "save_every=400 steps", "--set", "validation.every=400 steps"]

    def press_ctrl_c():
        while not logged(out, 10):
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    user = threading.Thread(target=press_ctrl_c, daemon=True)
    user.start()
    assert main(["train", str(recipe), "--data", str(drives), "--out", str(out), *given]) == 130
    user.join()
    assert "and saved; --resume goes on" in capsys.readouterr().out
    assert 10 <= torch.load(out / "state.pt", weights_only=True)["step"] < 400


def test_what_does_not_fit_is_one_line(drives, recipe, tmp_path, capsys):
    for arguments, problem in (
        (["none.yaml", "--data", str(drives)], "none.yaml: no such recipe"),
        ([str(recipe), "--data", str(tmp_path / "none")], "no such folder"),
        ([str(recipe), "--data", str(drives), "--set", "family=resnet"], "family: 'resnet' cannot be trained"),
        ([str(recipe), "--data", str(drives), "--set", "precision=fp16"], "fp16 needs a GPU"),
        ([str(recipe), "--data", str(drives), "--init", str(tmp_path / "none.pt")], "no such checkpoint"),
    ):
        assert main(["train", *arguments, "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert problem in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out" / "state.pt").exists()


def test_several_folders_after_one_data(drives, recipe, tmp_path):
    given = [str(recipe), "--data", str(drives / "street"), str(drives / "held-out"), "--set", "length=1 steps"]
    assert main(["train", *given, "--out", str(tmp_path / "out")]) == 0


def test_help_starts_once():
    """The settings for glibc need a restart; help does not."""
    said = subprocess.run(
        [sys.executable, ROOT / "run.py", "train", "--help"], capture_output=True, text=True, check=True
    )
    assert "GLIBC_TUNABLES" not in said.stdout + said.stderr
    assert "--resume" in said.stdout
