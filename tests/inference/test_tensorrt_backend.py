"""The TensorRT backend without a GPU: on a fake TensorRT and a fake CUDA whose engine computes y = 2 x + 1."""

import logging
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from inference import cuda, tensorrt_backend, tensorrt_library
from inference.cuda import CudaError, Gpu
from inference.manifest import Artifact, Manifest, Provenance, Tensor
from inference.session import Choice, Session
from inference.tensorrt_backend import TensorRtEngine
from inference.tensorrt_library import EngineHeader, Library, LibraryName, check_runs_here, read_header
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import ANY, FakeTensorRt

ONE_RUN = ["cudaMemcpyAsync", "cudaMemcpyAsync", "cudaEventRecord", "cudaEventSynchronize"]
ONE_LAUNCH = ["cudaGraphLaunch", "cudaEventRecord", "cudaEventSynchronize"]
BUILT_FOR = {"compute_capabilities": "SM86", "gpu": "Fake RTX 3060", "hardware_compatibility": "none"}


class Machine:
    """A machine with a fake GPU and a fake library, and an engine file with its manifest."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, fake_cuda: FakeCuda, trt: FakeTensorRt, rtx: bool
    ) -> None:
        self.cuda, self.trt, self.folder = fake_cuda, trt, folder
        self.name: LibraryName = "tensorrt-rtx" if rtx else "tensorrt"
        self.path = folder / "model.engine"
        self.built_for = dict(BUILT_FOR)
        self.write_engine(trt.__version__)
        patch.setattr(cuda, "import_cuda", lambda: fake_cuda)
        patch.setattr(tensorrt_backend, "import_cuda", lambda: fake_cuda)
        library = Library(name=self.name, module=trt, version=trt.__version__)
        patch.setattr(tensorrt_backend, "load_library", lambda name: library)

    def write_engine(self, version: str, mask: int = 0b000100) -> None:
        tag = b"vtrt" if self.name == "tensorrt-rtx" else b"ftrt"
        parts = bytes(int(part) for part in version.split("."))
        self.path.write_bytes(tag + bytes(20) + parts + tag + mask.to_bytes(4, "little") + bytes(64))

    def open(self, **options: object) -> TensorRtEngine:
        shape = self.trt._tensors["x"].shape
        sizes = tuple(None if size == ANY else size for size in shape)
        artifact = Artifact(
            backend=self.name, precision="fp16", files={self.path.name: "0" * 64}, built_for=self.built_for
        )
        manifest = Manifest(
            family="doubler",
            inputs=(Tensor(name="x", dtype="float32", shape=sizes),),
            outputs=(Tensor(name="y", dtype="float32", shape=sizes),),
            precision="fp32",
            provenance=Provenance(trained_on="nothing", weights_sha256=""),
            artifacts=(artifact,),
        )
        return TensorRtEngine(self.path, self.name, manifest, "fp16", **options)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(*, rtx: bool = False, version: str | None = None, **how: object) -> Machine:
        fake_cuda = FakeCuda()
        trt = FakeTensorRt(fake_cuda, rtx=rtx, version=version or ("1.7.1.116" if rtx else "10.16.1.11"), **how)
        return Machine(tmp_path, monkeypatch, fake_cuda, trt, rtx)

    return make


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("rtx", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_it_computes_what_the_engine_computes(machine, rtx: bool, graph: bool) -> None:
    engine = machine(rtx=rtx).open(cuda_graph=graph)
    assert engine.provider == ("TensorRT-RTX" if rtx else "TensorRT")
    assert engine.precision == "fp16"
    assert engine.inputs == (Tensor(name="x", dtype="float32", shape=(2, 3)),)
    assert engine.outputs == (Tensor(name="y", dtype="float32", shape=(2, 3)),)
    for seed in range(3):
        x = image(2, 3, seed=seed)
        np.testing.assert_array_equal(engine.run([x])[0], 2 * x + 1)
        np.testing.assert_array_equal(engine.run([np.asfortranarray(x)])[0], 2 * x + 1)
    engine.close()


def test_a_run_allocates_nothing_and_waits_once_without_spinning(machine) -> None:
    here = machine()
    engine = here.open()
    here.cuda.calls.clear()
    first = engine.run([image(2, 3)])[0]
    second = engine.run([image(2, 3, seed=1)])[0]
    assert here.cuda.calls == ONE_RUN * 2
    assert first.ctypes.data == second.ctypes.data


def test_a_cuda_graph_is_captured_at_open_and_launched_at_each_run(machine) -> None:
    here = machine()
    engine = here.open(cuda_graph=True)
    assert here.cuda.calls.count("cudaGraphInstantiate") == 1
    here.cuda.calls.clear()
    for seed in range(2):
        engine.run([image(2, 3, seed=seed)])
    assert here.cuda.calls == ONE_LAUNCH * 2
    engine.close()
    assert not here.cuda.held


def test_rtx_makes_its_own_cuda_graphs(machine) -> None:
    here = machine(rtx=True)
    here.open(cuda_graph=True)
    assert here.trt._runtime_config.cuda_graph_strategy.name == "WHOLE_GRAPH_CAPTURE"
    assert "cudaStreamBeginCapture" not in here.cuda.calls


@pytest.mark.parametrize("graph", [False, True])
def test_sizes_may_vary_within_the_profile(machine, graph: bool) -> None:
    here = machine(shape=(ANY, 3), largest=4)
    engine = here.open(cuda_graph=graph)
    assert engine.inputs[0].shape == (None, 3)
    taken = set(here.cuda.held)
    for count in (2, 4, 1, 1):
        x = image(count, 3, seed=count)
        (y,) = engine.run([x])
        assert y.shape == (count, 3)
        np.testing.assert_array_equal(y, 2 * x + 1)
    assert here.cuda.calls.count("cudaMalloc") == 2
    assert here.cuda.calls.count("cudaGraphInstantiate") == (4 if graph else 0)  # at open, and for 2, 4 and 1
    assert len(here.cuda.held) == len(taken)

    for shape in ((5, 3), (0, 3)):
        with pytest.raises(ValueError, match=r"the engine takes \[1, 3\] to \[4, 3\]"):
            engine.run([image(*shape)])
    x = image(1, 3, seed=9)
    np.testing.assert_array_equal(engine.run([x])[0], 2 * x + 1)


def test_close_gives_everything_back_and_results_stay_readable(machine) -> None:
    here = machine()
    engine = here.open()
    x = image(2, 3)
    with Session(engine, manifest=None, choice=Choice(backend="tensorrt", reason=""), threads=1) as session:
        result = session.infer({"x": x})["y"]
        here.cuda.calls.clear()
    assert not here.cuda.held
    np.testing.assert_array_equal(result, 2 * x + 1)
    assert here.cuda.calls[0] == "cudaStreamSynchronize"  # nothing is freed under a running kernel
    assert "cudaFree" in here.cuda.calls
    engine.close()  # twice is once


def test_after_a_capture_that_failed_the_next_run_starts_afresh(machine) -> None:
    here = machine(shape=(ANY, 3), largest=4)
    engine = here.open(cuda_graph=True)
    here.cuda.failing = {"cudaGraphInstantiate": 0}
    with pytest.raises(CudaError, match="cudaGraphInstantiate"):
        engine.run([image(2, 3)])
    here.cuda.failing = {}
    x = image(4, 3)
    np.testing.assert_array_equal(engine.run([x])[0], 2 * x + 1)
    engine.close()
    assert not here.cuda.held


TAKING = (
    "cudaStreamCreateWithFlags",
    "cudaEventCreateWithFlags",
    "cudaHostRegister",
    "cudaMalloc",
    "cudaGraphInstantiate",
)


@pytest.mark.parametrize("which", [*((name, 0) for name in TAKING), ("cudaMalloc", 1), ("cudaStreamEndCapture", 0)])
def test_a_failure_at_open_is_one_line_and_gives_back_what_was_taken(machine, which: tuple[str, int]) -> None:
    here = machine()
    here.cuda.failing = dict([which])
    with pytest.raises(UserError, match=rf"model\.engine: cannot be opened on Fake RTX 3060 .*: {which[0]}: cudaError"):
        here.open(cuda_graph=True)
    assert not here.cuda.held


@pytest.mark.parametrize(
    ("refuses", "complaint"),
    [
        ("load", r"model\.engine: cannot be loaded by TensorRT 10\.16\.1\.11: .*Serialization \(damaged\)"),
        ("capture", r"cannot be run by TensorRT 10\.16\.1\.11: .*\(not permitted in capture\)"),
        ("context", r"cannot get the GPU memory it needs by TensorRT 10\.16\.1\.11: out of memory"),
    ],
)
def test_what_the_library_refuses_is_one_line_with_its_reason(machine, refuses: str, complaint: str) -> None:
    here = machine(refuses=refuses)
    with pytest.raises(UserError, match=complaint):
        here.open(cuda_graph=True)
    assert not here.cuda.held


def test_a_run_that_fails_says_why_and_everything_can_still_be_given_back(
    machine, caplog: pytest.LogCaptureFixture
) -> None:
    here = machine()
    engine = here.open()
    here.trt._refuses = "run"
    with pytest.raises(UserError, match=r"cannot be run by TensorRT .*an illegal access"):
        engine.run([image(2, 3)])
    here.cuda.failing = {"cudaFree": 0}
    engine.close()
    assert not here.cuda.held
    assert "cudaFree: cudaErrorMemoryAllocation" in caplog.text


def test_what_numpy_cannot_hold_or_size_is_refused(machine) -> None:
    with pytest.raises(UserError, match="x is bfloat16, which NumPy has no dtype for"):
        machine(dtype="bfloat16").open()
    here = machine(y_shape=(ANY, 3))
    with pytest.raises(UserError, match="the size of y depends on the data"):
        here.open()
    assert not here.cuda.held


def test_an_engine_of_the_other_library_is_refused_by_name(machine) -> None:
    here = machine(rtx=True)
    here.name = "tensorrt"
    with pytest.raises(
        UserError, match=r"was built by TensorRT-RTX 1\.7\.1\.116 for SM86; set the backend to tensorrt-rtx"
    ):
        here.open()


def test_an_engine_of_another_version_is_refused_unless_it_brings_its_runtime(machine) -> None:
    here = machine(version="11.4.0.106")
    here.write_engine("10.16.1.11")
    with pytest.raises(
        UserError, match=r"built by TensorRT 10\.16\.1\.11; this machine has TensorRT 11\.4\.0\.106 and Fake"
    ):
        here.open()
    assert not here.cuda.held
    here.built_for["version_compatible"] = "true"
    here.open().close()
    assert here.trt._runtime.engine_host_code_allowed


def test_code_within_an_engine_is_run_only_where_the_manifest_says_that_it_is_there(machine) -> None:
    here = machine()
    here.open()
    assert not here.trt._runtime.engine_host_code_allowed


def test_the_jit_cache_is_kept_for_the_next_time(machine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    here, cache = machine(rtx=True), tmp_path / "model.jit"
    here.open(jit_cache=cache).close()
    assert cache.read_bytes() == b"jit "
    here.open(jit_cache=cache).close()
    assert cache.read_bytes() == b"jit jit "
    assert not caplog.records
    cache.write_bytes(b"of another GPU")
    here.open(jit_cache=cache).close()
    assert "the engine is compiled anew" in caplog.text


def test_without_a_gpu_it_says_so(machine) -> None:
    here = machine()
    here.cuda.failing = {"cudaGetDeviceCount": 0}
    with pytest.raises(UserError, match=r"no NVIDIA GPU can be used here \(cudaGetDeviceCount: cudaError.*nvidia-smi"):
        here.open()


GPU = Gpu(name="NVIDIA RTX A4000", compute_capability="SM86", sm_count=48, memory_bytes=16 << 30)


@pytest.mark.parametrize(
    ("capabilities", "or_others", "runs"),
    [(("SM86",), False, True), (("SM80", "SM86"), False, True), (("SM80",), False, False), (("SM80",), True, True)],
)
def test_a_header_that_names_gpus_is_believed(capabilities: tuple[str, ...], or_others: bool, runs: bool) -> None:
    header = EngineHeader(
        library="tensorrt-rtx", version="1.7.1.116", compute_capabilities=capabilities, or_others=or_others
    )
    library = Library(name="tensorrt-rtx", module=None, version="1.7.1.116")
    if runs:
        check_runs_here(Path("m.engine"), header, {}, library, GPU)
    else:
        with pytest.raises(
            UserError, match=r"built for SM80; this machine has TensorRT-RTX 1.7.1.116 and NVIDIA RTX A4000"
        ):
            check_runs_here(Path("m.engine"), header, {}, library, GPU)


def test_a_tensorrt_engine_is_for_the_gpu_of_its_manifest(caplog: pytest.LogCaptureFixture) -> None:
    header = EngineHeader(library="tensorrt", version="10.16.1.11")
    library = Library(name="tensorrt", module=None, version="10.16.1.11")
    built_for = {"compute_capabilities": "SM89", "gpu": "NVIDIA L4", "hardware_compatibility": "none"}
    with pytest.raises(
        UserError, match=r"built for SM89; this machine has .* \(SM86, 48 multiprocessors\); export it again"
    ):
        check_runs_here(Path("m.engine"), header, built_for, library, GPU)
    check_runs_here(Path("m.engine"), header, built_for | {"hardware_compatibility": "ampere_plus"}, library, GPU)
    assert "was built on NVIDIA L4, this is NVIDIA RTX A4000" in caplog.text
    check_runs_here(Path("m.engine"), header, {}, library, GPU)  # a manifest that does not say


def test_the_header_of_a_tensorrt_engine_tells_its_version(tmp_path: Path) -> None:
    (tmp_path / "m.engine").write_bytes(b"ftrt" + bytes(20) + bytes([10, 16, 1, 11]) + bytes(64))
    assert str(read_header(tmp_path / "m.engine")) == "TensorRT 10.16.1.11"


def test_a_library_that_is_absent_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(tensorrt_library.importlib, "import_module", absent)
    with pytest.raises(UserError, match=r"TensorRT cannot be imported .*pip install 'rangecast\[gpu\]'"):
        tensorrt_library.load_library("tensorrt")
    with pytest.raises(UserError, match=r"TensorRT-RTX cannot be imported .*pip install 'rangecast\[rtx\]'"):
        tensorrt_library.load_library("tensorrt-rtx")
    with pytest.raises(UserError, match=r"cuda-bindings cannot be imported"):
        cuda.import_cuda()
    assert cuda.first_gpu() is None
