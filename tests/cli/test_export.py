"""``run.py export``: what it says, what it refuses, and that a refusal leaves nothing."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxslim")

from cli.main import main
from export import families
from tests.support.tiny_family import NAME, TinyFamily

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def out(monkeypatch, tmp_path):
    monkeypatch.setitem(families.MODELS, NAME, TinyFamily)
    monkeypatch.setenv("RANGECAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def said(capsys) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_export_and_again(out, capsys):
    command = ["export", NAME, "--weights", "random", "--to", "onnx,openvino", "--out", str(out)]
    assert main(command) == 0
    first = said(capsys)
    for what in ("graph", "openvino", "parity", "stored weights passed", "onnx passed", "1 made up, 1 adversarial"):
        assert what in first
    assert main(command) == 0
    again = said(capsys)
    assert again.count("found in the cache") == 3


def test_another_export_does_not_replace_it_without_a_word(out, capsys):
    command = ["export", NAME, "--weights", "random", "--out", str(out)]
    assert main(command) == 0
    before = (out / "model.json").read_bytes()
    assert main([*command, "--size", "8x24"]) == 2
    assert "holds an exported model; give another folder, or --force" in said(capsys)
    assert (out / "model.json").read_bytes() == before
    assert main([*command, "--size", "8x24", "--force"]) == 0
    assert (out / "model.json").read_bytes() != before


def test_other_peoples_files_are_not_replaced(out, capsys):
    out.mkdir()
    (out / "thesis.tex").touch()
    assert main(["export", NAME, "--weights", "random", "--out", str(out)]) == 2
    assert "holds other files" in said(capsys)


def test_a_dry_run_makes_nothing(out, capsys):
    command = ["export", NAME, "--weights", "random", "--to", "onnx,openvino", "--precision", "fp32,bf16", "--dry-run"]
    assert main([*command, "--out", str(out)]) == 0
    text = said(capsys)
    assert "onnx fp32 openvino fp32 openvino bf16" in text
    assert "onnx bf16" not in text
    assert not out.exists()
    assert not (out.parent / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["squeezsegv3-21"], "model 'squeezsegv3-21' is not known; did you mean 'squeezesegv3-21'?"),
        (["squeezesegv3-53"], "ships no weights of it; give --weights CHECKPOINT, or random"),
        ([NAME, "--weights", "nowhere.pt"], "--weights nowhere.pt: no such file"),
        ([NAME, "--weights", "random", "--to", "openvno"], "--to 'openvno' is not known; did you mean 'openvino'?"),
        ([NAME, "--weights", "random", "--precision", "fp61"], "--precision 'fp61' is not known"),
        ([NAME, "--weights", "random", "--to", "onnx", "--precision", "bf16"], "--to onnx has no bf16; it has fp32"),
        (
            [NAME, "--weights", "random", "--to", "onnx,openvino", "--precision", "fp32,bf16,int8"],
            "int8 needs real inputs to find its scales on: --calibrate DIR",
        ),
        ([NAME, "--weights", "random", "--calibrate", "."], "--calibrate is for --precision int8"),
        ([NAME, "--weights", "random", "--size", "64"], "--size '64': give height and width"),
        ([NAME, "--weights", "random", "--size", "64x33"], "the width must be even"),
        ([NAME, "--weights", "random", "--batch", "4:2:8"], "smallest:usual:largest must not fall"),
        ([NAME, "--weights", "random", "--batch", "0"], "--batch '0': give a number"),
        ([NAME, "--weights", "random", "--opset", "11"], "--opset 11: give 18 to 23"),
        (
            [NAME, "--weights", "random", "--opset", "20", "--to", "tensorrt-rtx", "--precision", "bf16"],
            "--opset 20: ONNX has bf16 from opset 22 on",
        ),
        ([NAME, "--weights", "random", "--data", "nowhere"], "--data nowhere: no such folder"),
        ([NAME, "--weights", "random", "--gpus", "SM86"], "--gpus is for --to tensorrt-rtx"),
        ([NAME, "--weights", "random", "--outputs", "labels"], "--outputs labels: tiny gives but one kind of outputs"),
        ([NAME, "--weights", "random", "--store", "fp8"], "--store 'fp8' is not known"),
        ([NAME, "--weights", "random", "--version-compatible"], "--version-compatible is for --to tensorrt"),
        (["verify", "nowhere"], "nowhere: no such folder"),
        (["inspect", "."], "not an exported model"),
        (["cache", "lst"], "'lst' is not known; did you mean 'list'?"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(out, capsys, arguments, message):
    arguments = [*arguments, "--out", str(out)] if arguments[0] not in ("verify", "inspect", "cache") else arguments
    assert main(["export", *arguments]) == 2
    captured = capsys.readouterr()
    [line] = captured.err.splitlines()
    assert message in line
    assert not out.exists()
    assert not list(out.parent.glob(".out.*"))


def test_weights_of_another_model(out, capsys, tmp_path):
    import torch

    torch.save({"first.weight": torch.zeros(1)}, tmp_path / "other.pt")
    assert main(["export", NAME, "--weights", str(tmp_path / "other.pt"), "--out", str(out)]) == 2
    assert "has no first.bias, head.bias, head.weight, second.bias" in said(capsys)
    assert not out.exists()


def test_a_gpu_that_there_is_no_engine_for(out, capsys):
    pytest.importorskip("tensorrt_rtx_bindings")
    command = ["export", NAME, "--weights", "random", "--to", "tensorrt-rtx", "--gpus", "SM87", "--out", str(out)]
    assert main(command) == 2
    assert "does not build for SM87; choose among SM75" in said(capsys)
    assert not out.exists()


def test_a_package_that_is_missing(out, capsys, monkeypatch):
    from export import available

    monkeypatch.setattr(available, "_is_there", lambda module: module != "openvino")
    assert main(["export", NAME, "--weights", "random", "--to", "openvino", "--out", str(out)]) == 2
    assert "--to openvino: openvino not installed; pip install 'rangecast'" in said(capsys)
    assert main(["export", "list"]) == 0
    assert "openvino: openvino not installed" in said(capsys)


def test_an_output_that_is_a_file(out, capsys):
    out.touch()
    assert main(["export", NAME, "--weights", "random", "--out", str(out)]) == 2
    assert "is a file; give a folder" in said(capsys)


def test_a_full_disk_is_one_line_and_leaves_nothing(out):
    """A limit on the size of files stands for the disk that is full."""
    command = [sys.executable, "run.py", "export", "squeezesegv3-21", "--out", str(out)]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    assert run.returncode == 2
    assert "cannot be written: File too large; make room" in run.stderr
    assert "Traceback" not in run.stderr
    assert not out.exists()
    assert not list(out.parent.glob(".out.*"))
