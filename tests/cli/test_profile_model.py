"""``run.py profile model``: what it prints and writes, and what is one line."""

import pytest

from cli.main import main
from profiling.result import MACHINE, read
from tests.support.tiny_models import make_tiny_segmenter

QUICK = ["--precision", "fp32", "--threads", "1", "--repeats", "2", "--samples", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_segmenter(tmp_path_factory.mktemp("model"), 16, 128)


def said(capsys) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_every_stage_of_every_backend_is_measured_and_compared(folder, tmp_path, capsys):
    out = tmp_path / "profile.json"
    command = ["profile", "model", str(folder), "--backend", "openvino,onnxruntime", *QUICK]
    assert main([*command, "--out", str(out)]) == 0
    told = said(capsys)
    for what in ("16x128", "in each of 2 processes", "openvino fp32", "onnxruntime fp32", "Layers, onnxruntime fp32"):
        assert what in told
    profile = read(out)
    runs = {series.name: [len(run) for run in series.runs] for series in profile.series}
    for pair in ("openvino fp32", "onnxruntime fp32"):
        for stage in ("pre-processing", "inference", "copies", "post-processing"):
            assert runs.pop(f"{pair}.{stage}") == [2, 2]
        assert runs.pop(f"{pair}.open") == [1, 1]
        assert runs.pop(f"{pair}.peak memory") == [1, 1]
    assert runs.pop(f"{MACHINE}fp32.matrix product") == [2, 2]
    assert all(name.startswith(MACHINE) for name in runs)
    assert all(sample > 0 for series in profile.series for sample in series.samples)
    assert profile.configuration["scenario"] == "single"

    assert main([*command[:-1], "3", "--threads", "2", "--against", str(out)]) == 2
    assert "another configuration: threads was 1, is 2; profile the baseline again" in said(capsys)


@pytest.mark.parametrize(("scenario", "series"), [("offline", "throughput"), ("rate:50", "latency")])
def test_other_scenarios(folder, tmp_path, scenario, series):
    out = tmp_path / "profile.json"
    command = ["profile", "model", str(folder), "--backend", "onnxruntime", *QUICK, "--repeats", "1"]
    assert main([*command, "--scenario", scenario, "--out", str(out)]) == 0
    found = {each.name: each for each in read(out).series}[f"onnxruntime fp32.{series}"]
    assert found.better == ("higher" if series == "throughput" else "lower")
    assert all(sample > 0 for sample in found.samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "openvno"], "--backend 'openvno' is not known; did you mean 'openvino'?"),
        (["--backend", "onnxruntime", "--precision", "bf16"], "nothing to profile (onnxruntime bf16: there is none"),
        (["--scenario", "rate:often"], "--scenario 'rate:often': give the rate of arrivals in Hz"),
        (["--size", "16x64"], "takes 16x128; leave --size out"),
        (["--data", "nowhere"], "--data nowhere: no such folder"),
        (["--out", "nowhere/profile.json"], "--out nowhere/profile.json: cannot be written: No such file"),
        (["--against", "nowhere.json"], "nowhere.json: cannot be read: No such file"),
    ],
)
def test_a_mistake_is_one_line(folder, monkeypatch, tmp_path, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "model", str(folder), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("squeezsegv3-21", "did you mean 'squeezesegv3-21'?"), ("weights/none", "weights/none: no such folder")],
)
def test_a_model_that_is_not_there(capsys, name, message):
    assert main(["profile", "model", name]) == 2
    assert message in capsys.readouterr().err
