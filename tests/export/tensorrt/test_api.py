"""How TensorRT proper is asked, on a fake: its builder needs a GPU. TensorRT-RTX builds for real in test_build.py."""

import logging
from pathlib import Path

import pytest

from errors import UserError
from export.tensorrt import build as build_module
from export.tensorrt import inspect as inspect_module
from export.tensorrt import key as key_module
from export.tensorrt.api import Api
from export.tensorrt.build import BuildReport, build_engine
from export.tensorrt.build_log import BuildLog
from export.tensorrt.inspect import Layer, inspect_engine
from export.tensorrt.key import engine_key
from export.tensorrt.progress import Progress
from inference.cuda import Gpu
from inference.tensorrt_library import Library
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import ANY, FakeTensorRt, ITimingCache

GPU = Gpu(name="NVIDIA RTX A4000", compute_capability="SM86", sm_count=48, memory_bytes=16 << 30)


def tensorrt(version: str = "11.4.0.106", **how: object) -> Api:
    return Api(Library(name="tensorrt", module=FakeTensorRt(version=version, **how), version=version))


def build(folder: Path, api: Api, **how: object) -> BuildReport:
    (folder / "model.onnx").touch()
    return build_engine(folder / "model.onnx", folder / "model.engine", api=api, log=folder / "build.log", **how)


@pytest.mark.parametrize("version", ["10.16.1.11", "11.4.0.106"])
def test_networks_are_strongly_typed_and_fp32_is_fp32(version: str, tmp_path: Path) -> None:
    api = tensorrt(version)
    report = build(tmp_path, api)
    trt = api.module
    assert trt._network_flags == 1 << trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert trt._config._flags == set()  # neither TF32 nor a precision
    assert trt._config.profiling_verbosity == trt.ProfilingVerbosity.DETAILED
    assert trt._config._workspace is None
    assert (tmp_path / "model.engine").read_bytes() == b"an engine"
    assert report.library == f"TensorRT {version}"


def test_what_is_asked_reaches_the_builder(tmp_path: Path) -> None:
    api = tensorrt(shape=(ANY, 3))
    profile = ((1, 3), (2, 3), (4, 3))
    build(
        tmp_path,
        api,
        profiles={"x": profile},
        version_compatible=True,
        hardware_compatibility="ampere_plus",
        workspace_bytes=1 << 30,
    )
    config = api.module._config
    assert config._flags == {"VERSION_COMPATIBLE"}
    assert config.hardware_compatibility_level.name == "AMPERE_PLUS"
    assert config._workspace == ("WORKSPACE", 1 << 30)
    assert [each._shapes for each in config._profiles] == [{"x": profile}]


def test_it_builds_for_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="builds for the GPU of this machine, not for SM86; leave compute capabilities"):
        build(tmp_path, tensorrt(), compute_capabilities=["SM86"])


def test_without_a_gpu_it_says_so_and_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"cannot start: CUDA initialization failure .*: 35; .* tensorrt-rtx needs none"
    ):
        build(tmp_path, tensorrt(refuses="builder"))
    assert not (tmp_path / "model.engine").exists()
    assert "CUDA initialization failure" in (tmp_path / "build.log").read_text()


def test_a_timing_cache_is_kept_and_grows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = tmp_path / "timing.cache"
    build(tmp_path, tensorrt(), timing_cache=cache)
    assert cache.read_bytes() == b"of this GPU and what was measured"
    build(tmp_path, tensorrt(), timing_cache=cache)
    assert cache.read_bytes() == b"of this GPU and what was measured and what was measured"
    assert not caplog.records


@pytest.mark.parametrize("answer", [None, ITimingCache(b"empty")])  # libraries differ
def test_a_stale_timing_cache_is_started_anew_with_a_warning(
    answer: ITimingCache | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    cache = tmp_path / "timing.cache"
    cache.write_bytes(b"of another GPU")
    api = tensorrt()
    api.module._stale_cache = answer
    build(tmp_path, api, timing_cache=cache)
    assert "timing.cache: is of another TensorRT or GPU, or damaged; the timing cache is started anew" in caplog.text
    assert cache.read_bytes() == b"of this GPU and what was measured"


def test_a_timing_cache_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read .*; choose another file for the timing cache"):
        build(tmp_path, tensorrt(), timing_cache=tmp_path)


def test_an_engine_of_tensorrt_depends_on_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").touch()
    keys = []
    gpus = [GPU, None, Gpu(name="NVIDIA RTX A4000", compute_capability="SM86", sm_count=40, memory_bytes=16 << 30)]
    for gpu in gpus:
        monkeypatch.setattr(key_module, "first_gpu", lambda gpu=gpu: gpu)
        keys.append(engine_key(tmp_path / "model.onnx", api=tensorrt(), precision="fp16"))
    monkeypatch.setattr(key_module, "first_gpu", lambda: GPU)
    keys.append(engine_key(tmp_path / "model.onnx", api=tensorrt("10.16.1.11"), precision="fp16"))
    keys.append(engine_key(tmp_path / "model.onnx", api=tensorrt(), precision="fp16", version_compatible=True))
    assert all(keys.count(key) == 1 for key in keys)
    assert keys[0]["gpu"] == "NVIDIA RTX A4000"
    assert (keys[0]["compute_capabilities"], keys[0]["sm_count"]) == ("SM86", "48")


def test_the_report_names_the_gpu_it_was_built_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "first_gpu", lambda: GPU)
    assert build(tmp_path, tensorrt()).gpu == GPU


def test_the_log_finds_what_was_said_and_states_memory(tmp_path: Path) -> None:
    with BuildLog(tmp_path / "build.log") as log:
        log.write("INFO", "Total Weights Memory: 36836484 bytes")
        log.write(
            "ERROR",
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (no\nprofile (x). In f at /a.cpp:4)",
        )
        log.write("ERROR", "Error Code 9: Internal Error (no plugin)")
        log.write("WARNING", "something else")
    assert log.errors == ["no profile (x)", "no plugin"]
    assert log.complaints == 3
    assert log.memory("weights_bytes") == 36836484
    assert log.memory("scratch_bytes") is None
    assert (tmp_path / "build.log").read_text().startswith("[INFO] Total Weights Memory")


def test_a_disk_that_fills_up_while_the_log_is_written_is_one_line() -> None:
    with pytest.raises(UserError, match="/dev/full: the log of the build cannot be written: No space left"):  # noqa: SIM117
        with BuildLog(Path("/dev/full")) as log:
            log.write("INFO", "a line")


def test_progress_counts_phases_within_phases_and_never_goes_back() -> None:
    progress = Progress()
    progress.start("build", None, 2)
    progress.start("read", "build", 4)
    progress.step("read", 0)
    assert progress.share == pytest.approx(1 / 8)
    progress.start("weights", "read", 2)
    progress.step("weights", 0)
    assert progress.share == pytest.approx(1 / 8 + 1 / 16)
    progress.finish("weights")
    progress.finish("read")
    progress.step("read", 3)  # of a phase that is over
    progress.step("build", 0)
    assert progress.share == pytest.approx(1 / 2)
    progress.start("read", "build", 4)
    progress.step("build", 0)
    assert progress.share == pytest.approx(1 / 2)
    progress.finish("read")
    progress.finish("build")
    assert progress.share == 1.0


@pytest.mark.parametrize("refuses", ["", "load"])
def test_with_a_gpu_the_engine_itself_names_its_layers(
    refuses: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.engine").write_bytes(b"ftrt" + bytes(20) + bytes([10, 16, 1, 11]) + bytes(64))
    library = tensorrt("10.16.1.11", cuda=FakeCuda(), refuses=refuses).library
    monkeypatch.setattr(inspect_module, "first_gpu", lambda: GPU)
    monkeypatch.setattr(inspect_module, "load_library", lambda name: library)
    info = inspect_engine(tmp_path / "m.engine")
    if refuses:
        assert info.layers_from is None
    else:
        assert info.layers_from == "the engine"
        assert info.layers == (
            Layer(name="stem + relu", kind="CaskConvolution", types=("fp16", "int8"), onnx_nodes=("stem", "relu")),
        )
