"""Engines, built for real by TensorRT-RTX on a machine that needs no GPU."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from onnx import TensorProto

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed: pip install 'rangecast[rtx]'")

from errors import UserError
from export.tensorrt.api import Api, load_api
from export.tensorrt.build import BuildReport, build_engine
from export.tensorrt.inspect import inspect_engine
from export.tensorrt.key import engine_key
from inference.tensorrt_library import read_header
from tests.support.tiny_graphs import write_convolution

ROOT = Path(__file__).resolve().parents[3]
PROFILE = {"x": ((1, 3, 8, 8), (2, 3, 8, 8), (4, 3, 8, 8))}


@pytest.fixture(scope="module")
def api() -> Api:
    return load_api("tensorrt-rtx")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convolution(tmp_path_factory.mktemp("graph") / "model.onnx")


@pytest.fixture(scope="module")
def dynamic_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convolution(tmp_path_factory.mktemp("graph") / "dynamic.onnx", batch="N")


def build(graph: Path, folder: Path, api: Api, **how: object) -> BuildReport:
    return build_engine(graph, folder / "model.engine", api=api, log=folder / "build.log", **how)


@pytest.mark.parametrize("target", ["SM80", "SM86", "SM89", "SM120"])
def test_a_graph_builds_for_a_gpu_that_is_not_here(target: str, graph: Path, tmp_path: Path, api: Api) -> None:
    report = build(graph, tmp_path, api, compute_capabilities=[target])

    header = read_header(tmp_path / "model.engine")
    assert header.compute_capabilities == (target,)
    assert not header.or_others
    assert header.version == api.version
    assert report.engine_bytes == (tmp_path / "model.engine").stat().st_size
    assert report.library == f"TensorRT-RTX {api.version}"
    assert report.weights_bytes >= 4 * (4 * 3 * 9 + 4 * 4 * 9)
    assert report.activation_bytes > 0
    assert (tmp_path / "build.log").read_text().count("[INFO]") > 5


def test_one_engine_can_be_for_several_gpus(graph: Path, tmp_path: Path, api: Api) -> None:
    build(graph, tmp_path, api, compute_capabilities=["SM120", "SM86"])
    assert read_header(tmp_path / "model.engine").compute_capabilities == ("SM86", "SM120")


def test_an_engine_for_nothing_in_particular_says_so(graph: Path, tmp_path: Path, api: Api) -> None:
    build(graph, tmp_path, api)
    assert read_header(tmp_path / "model.engine").or_others


def test_what_is_fp16_in_the_graph_is_fp16_in_the_engine(tmp_path: Path, api: Api) -> None:
    info, report = {}, {}
    for name, dtype in (("fp32", TensorProto.FLOAT), ("fp16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16)):
        folder = tmp_path / name
        folder.mkdir()
        graph = write_convolution(folder / "model.onnx", channels=128, dtype=dtype)
        report[name] = build(graph, folder, api, compute_capabilities=["SM86"])
        info[name] = inspect_engine(folder / "model.engine", folder / "build.log")

    weights = 128 * 3 * 9 + 128 * 128 * 9
    for name in ("fp16", "bf16"):
        assert report["fp32"].engine_bytes - report[name].engine_bytes == pytest.approx(2 * weights, rel=0.1)
    for name, found in info.items():
        assert found.layers_from == "the log of its build"
        assert {kind for layer in found.layers for kind in layer.types} == {name}
        assert {node for layer in found.layers for node in layer.onnx_nodes} == {"first", "second", "last"}


def test_fp32_is_not_computed_as_tf32(api: Api) -> None:
    builder = api.module.Builder(api.module.Logger())
    config = api.create_config(
        builder,
        compute_capabilities=(),
        version_compatible=False,
        hardware_compatibility="none",
        workspace_bytes=1 << 28,
    )
    assert builder.create_builder_config().get_flag(api.module.BuilderFlag.TF32)  # what it would be
    assert not config.get_flag(api.module.BuilderFlag.TF32)
    assert config.get_memory_pool_limit(api.module.MemoryPoolType.WORKSPACE) == 1 << 28


def test_an_input_of_varying_size_is_built_from_its_profile(dynamic_graph: Path, tmp_path: Path, api: Api) -> None:
    build(dynamic_graph, tmp_path, api, profiles=PROFILE)
    assert "MaxShape: [4,3,8,8]" in (tmp_path / "build.log").read_text()


@pytest.mark.parametrize(
    ("profiles", "complaint"),
    [
        ({}, r"sizes of input x \?x3x8x8 vary; give it a profile"),
        ({"z": PROFILE["x"]}, r"has no input 'z' to give a profile; choose one of x"),
        ({"x": ((2, 3, 8, 8), (1, 3, 8, 8), (4, 3, 8, 8))}, r"2x3x8x8:1x3x8x8:4x3x8x8 of input x is not in order"),
        ({"x": ((1, 3, 8, 9), (1, 3, 8, 9), (1, 3, 8, 9))}, r"profile 1x3x8x9 is no shape of input x \?x3x8x8"),
        ({"x": ((1, 3), (1, 3), (1, 3))}, r"profile 1x3 is no shape of input x"),
        ({"x": ((0, 3, 8, 8), (1, 3, 8, 8), (1, 3, 8, 8))}, r"profile 0x3x8x8 is no shape of input x"),
    ],
)
def test_a_wrong_profile_is_one_line(
    profiles: dict, complaint: str, dynamic_graph: Path, tmp_path: Path, api: Api
) -> None:
    with pytest.raises(UserError, match=complaint):
        build(dynamic_graph, tmp_path, api, profiles=profiles)
    assert not (tmp_path / "model.engine").exists()


def test_an_operator_that_it_lacks_is_named_with_its_node(tmp_path: Path, api: Api) -> None:
    graph = write_convolution(tmp_path / "model.onnx", operator="Fancy")
    with pytest.raises(
        UserError, match=r"node last, operator Fancy: it has no such operator; see .*build\.log"
    ) as raised:
        build(graph, tmp_path, api)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "model.engine").exists()
    assert "Fancy" in (tmp_path / "build.log").read_text()


def test_what_is_no_graph_is_one_line(tmp_path: Path, api: Api) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph at all")
    with pytest.raises(UserError, match=r"model\.onnx: is not an ONNX graph"):
        build(tmp_path / "model.onnx", tmp_path, api)
    with pytest.raises(UserError, match=r"absent\.onnx: no such file"):
        build(tmp_path / "absent.onnx", tmp_path, api)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"compute_capabilities": ["SM87"]}, "does not build for SM87; choose among SM75, SM80"),
        ({"compute_capabilities": ["SM86", "SM86"]}, "one is there twice"),
        ({"version_compatible": True}, "has no version-compatible engine"),
        ({"hardware_compatibility": "ampere_plus"}, "has no hardware compatibility"),
        ({"hardware_compatibility": "some"}, "hardware compatibility 'some': choose one of none, ampere_plus"),
        ({"timing_cache": Path("timing.cache")}, "has no timing cache"),
    ],
)
def test_what_it_cannot_do_is_said_before_anything_is_built(
    how: dict, complaint: str, graph: Path, tmp_path: Path, api: Api
) -> None:
    with pytest.raises(UserError, match=complaint):
        build(graph, tmp_path, api, **how)
    assert not list(tmp_path.iterdir())


def test_a_failed_build_leaves_the_engine_that_was_there(graph: Path, tmp_path: Path, api: Api) -> None:
    (tmp_path / "model.engine").write_bytes(b"of yesterday")
    with pytest.raises(UserError):
        build(write_convolution(tmp_path / "bad.onnx", operator="Fancy"), tmp_path, api)
    assert (tmp_path / "model.engine").read_bytes() == b"of yesterday"


def test_a_folder_that_cannot_be_written_is_one_line(graph: Path, tmp_path: Path, api: Api) -> None:
    (tmp_path / "file").write_text("in the way of the folder")
    with pytest.raises(UserError, match=r"build\.log: the log of the build cannot be written"):
        build(graph, tmp_path / "file", api)
    with pytest.raises(UserError, match=r"model\.engine: cannot be written"):
        build_engine(graph, tmp_path / "file" / "model.engine", api=api, log=tmp_path / "build.log")


def test_progress_grows_to_the_whole(graph: Path, tmp_path: Path, api: Api) -> None:
    told: list[tuple[str, float]] = []
    build(graph, tmp_path, api, on_progress=lambda phase, share: told.append((phase, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(set(shares)) > 5
    assert told[0][0] == "Building engine"


def test_ctrl_c_stops_the_build(graph: Path, tmp_path: Path, api: Api) -> None:
    whole: list[str] = []
    build(graph, tmp_path / "whole", api, on_progress=lambda phase, share: whole.append(phase))
    told: list[str] = []

    def interrupt(phase: str, share: float) -> None:
        told.append(phase)
        if len(told) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.5)  # a long build: the main thread hears it meanwhile, on a busy machine too

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # an earlier test may have left another
    try:
        with pytest.raises(KeyboardInterrupt):
            build(graph, tmp_path, api, on_progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(told) < len(whole)
    assert not (tmp_path / "model.engine").exists()
    assert (tmp_path / "build.log").exists()


def test_a_failure_of_whoever_shows_progress_stops_the_build_and_is_told(graph: Path, tmp_path: Path, api: Api) -> None:
    def fail(phase: str, share: float) -> None:
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        build(graph, tmp_path, api, on_progress=fail)
    assert not (tmp_path / "model.engine").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from export.tensorrt.api import load_api
from export.tensorrt.build import build_engine

graph, folder, when = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
die = lambda *anything: os.kill(os.getpid(), signal.SIGKILL)
if when == "while it is written":
    os.fsync = die
build_engine(graph, folder / "model.engine", api=load_api("tensorrt-rtx"), log=folder / "build.log",
             on_progress=die if when == "while it is built" else None)
"""


@pytest.mark.parametrize("when", ["while it is built", "while it is written"])
def test_a_killed_build_leaves_no_engine(when: str, graph: Path, tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, graph, tmp_path, when], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "model.engine").exists()


def test_the_key_changes_with_whatever_the_engine_depends_on(
    graph: Path, dynamic_graph: Path, tmp_path: Path, api: Api
) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(graph.read_bytes())
    key = engine_key(graph, api=api, precision="fp32", compute_capabilities=["SM86", "SM80"])
    assert key == engine_key(copy, api=api, precision="fp32", compute_capabilities=["SM80", "SM86"])
    others = [
        engine_key(dynamic_graph, api=api, precision="fp32", compute_capabilities=["SM86", "SM80"]),
        engine_key(graph, api=api, precision="fp16", compute_capabilities=["SM86", "SM80"]),
        engine_key(graph, api=api, precision="fp32", compute_capabilities=["SM86"]),
        engine_key(graph, api=api, precision="fp32"),
        engine_key(graph, api=api, precision="fp32", profiles=PROFILE),
        engine_key(graph, api=api, precision="fp32", workspace_bytes=1 << 20),
    ]
    everything = [key, *others]
    assert all(everything.count(one) == 1 for one in everything)
    assert key["version"] == api.version
    with pytest.raises(UserError, match=r"absent\.onnx: cannot be read"):
        engine_key(tmp_path / "absent.onnx", api=api, precision="fp32")


def test_an_engine_that_was_cut_short_or_is_none_is_named(tmp_path: Path) -> None:
    for content in (b"", b"vtrt", b"some other file that is long enough to have a header"):
        (tmp_path / "model.engine").write_bytes(content)
        with pytest.raises(UserError, match="is not a TensorRT engine, or was cut short"):
            inspect_engine(tmp_path / "model.engine")
    with pytest.raises(UserError, match="cannot be read"):
        inspect_engine(tmp_path / "absent.engine")


def test_without_a_log_or_a_gpu_the_layers_are_not_known(
    graph: Path, tmp_path: Path, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    build(graph, tmp_path, api, compute_capabilities=["SM75"])
    info = inspect_engine(tmp_path / "model.engine")
    if info.layers_from is None:
        assert info.layers == ()
    with pytest.raises(UserError, match=r"absent\.log: cannot be read"):
        inspect_engine(tmp_path / "model.engine", tmp_path / "absent.log")
    assert not caplog.records
