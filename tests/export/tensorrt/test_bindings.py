"""The fakes against the real thing: what Rangecast calls exists in TensorRT 10, 11 and TensorRT-RTX, as it calls it.

Rangecast's TensorRT code runs on tests.support.fake_tensorrt, so it uses no name that is not there; here each name that
is there is looked up in the real bindings. Those of TensorRT proper need libraries of gigabytes, for which a machine
without a GPU has no use: libraries of nine empty functions, made by gcc, let them be imported.
"""

import enum
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import fake_tensorrt
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRt, Strict

ROOT = Path(__file__).resolve().parents[3]
BINDINGS = ROOT / "build" / "tensorrt-bindings"
RTX_ONLY = {
    "ComputeCapability",
    "CudaGraphStrategy",
    "IRuntimeCache",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.set_compute_capability",
    "IRuntimeConfig.create_runtime_cache",
    "IRuntimeConfig.cuda_graph_strategy",
    "IRuntimeConfig.set_runtime_cache",
}

DESCRIBE = """
import json, sys
module = __import__(sys.argv[1])
found = {"": {name: "" for name in dir(module)}, "__version__": module.__version__}
for name in dir(module):
    each = getattr(module, name)
    if isinstance(each, type):
        found[name] = {member: getattr(each, member).__doc__ or "" for member in dir(each)}
print(json.dumps(found))
"""

START = """
from pathlib import Path
from errors import UserError
from export.tensorrt.api import load_api
from export.tensorrt.build import build_engine
api = load_api("tensorrt")
print(api, api.compute_capabilities)
try:
    build_engine(Path(__file__), Path("out.engine"), api=api, log=Path("build.log"))
except UserError as error:
    print(error)
"""


def make_stubs(bindings: Path, folder: Path) -> None:
    """Libraries of the names that the bindings' extension was linked to; each of its functions, returning null."""
    extension = bindings / "tensorrt_bindings" / "tensorrt.so"
    needed = subprocess.run(["readelf", "-d", extension], capture_output=True, text=True, check=True).stdout
    symbols = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(
        r"^ +U (\w*(?:_INTERNAL|PluginRegistry|NvOnnxParserVersion|NvInferPlugins))$", symbols, re.MULTILINE
    )
    assert len(names) == 9
    source = folder / "stubs.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in names))
    for library in re.findall(r"\[(libnv\w+\.so\.\d+)\]", needed):
        subprocess.run(
            ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{library}", "-o", folder / library, source], check=True
        )


@pytest.fixture(scope="module", params=["10", "11"])
def tensorrt_environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """In which a process can import the bindings of that version as ``tensorrt``."""
    bindings = BINDINGS / request.param
    if not (bindings / "tensorrt_bindings").is_dir():
        pytest.skip("bindings of TensorRT not present: sh tools/fetch-tensorrt-bindings.sh")
    if missing := [tool for tool in ("gcc", "nm", "readelf") if shutil.which(tool) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    folder = tmp_path_factory.mktemp(f"tensorrt-{request.param}")
    make_stubs(bindings, folder)
    package = folder / "tensorrt" / "__init__.py"
    package.parent.mkdir()
    package.write_text("from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n")
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, (folder, bindings, ROOT))),
    }


def described(module: str, environment: dict[str, str] | None = None) -> dict:
    child = subprocess.run(
        [sys.executable, "-c", DESCRIBE, module], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(child.stdout)


def complaints(real: dict, but: set[str]) -> list[str]:
    """What the fake has and the real module has not, or with other arguments; ``but``: what is not looked for."""
    found: list[str] = []
    fake = FakeTensorRt(rtx=True)
    for name in dir(fake):
        if name.startswith("_") or name in but:
            continue
        if name not in real[""]:
            found.append(name)
        elif isinstance(getattr(fake, name), enum.EnumMeta):
            found += [f"{name}.{m}" for m in getattr(fake, name).__members__ if m not in real[name]]
    for name, fake_class in vars(fake_tensorrt).items():
        if (
            not (isinstance(fake_class, type) and issubclass(fake_class, Strict) and fake_class is not Strict)
            or name in but
        ):
            continue
        for member, value in vars(fake_class).items():
            path = f"{name}.{member}"
            if member.startswith("_") or path in but:
                continue
            if member not in real[name]:
                found.append(path)
            elif inspect.isfunction(value):
                wanted = list(inspect.signature(value).parameters)[1:]
                overloads = re.findall(rf"\b{member}\(self: [\w.]+(?:, )?(.*?)\) ->", real[name][member])
                taken = [re.findall(r"(?:^|, )(\w+): ", overload) for overload in overloads]
                if wanted not in taken:
                    found.append(f"{path}{wanted}, not {taken}")
    return found


def test_the_fake_has_only_what_tensorrt_has(tensorrt_environment: dict[str, str]) -> None:
    real = described("tensorrt", tensorrt_environment)
    assert complaints(real, RTX_ONLY | {"ICudaEngine.create_runtime_config"}) == []
    assert "create_runtime_config" in real["ICudaEngine"]


def test_what_is_for_rtx_alone_is_not_in_tensorrt(tensorrt_environment: dict[str, str]) -> None:
    real = described("tensorrt", tensorrt_environment)
    for path in RTX_ONLY:
        name, _, member = path.partition(".")
        assert member not in real[name] if member else name not in real[""]


def test_the_adapter_loads_tensorrt_and_says_what_its_builder_lacks(
    tensorrt_environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "start.py"
    script.write_text(START)
    child = subprocess.run(
        [sys.executable, script], env=tensorrt_environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    first, second = child.stdout.splitlines()
    assert re.fullmatch(r"TensorRT 1[01]\.\d+\.\d+\.\d+ \(\)", first)
    assert "cannot start: it does not say why; it needs a working GPU, tensorrt-rtx needs none" in second
    assert not (tmp_path / "out.engine").exists()


def test_the_fake_has_only_what_tensorrt_rtx_has() -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed: pip install 'rangecast[rtx]'")
    assert complaints(described("tensorrt_rtx_bindings"), set()) == []


def test_what_the_monitor_and_the_logger_override_is_called_so() -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings")
    assert {"phase_start", "step_complete", "phase_finish"} <= set(dir(trt.IProgressMonitor))
    assert "log" in dir(trt.ILogger)
    assert {level.name for level in trt.ILogger.Severity.__members__.values()} == {
        level.name for level in fake_tensorrt.ILogger.Severity
    }


def test_the_fake_cuda_has_only_what_cuda_has() -> None:
    real = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    for name, value in vars(FakeCuda).items():
        if not name.startswith("cuda"):
            continue
        if not inspect.isfunction(value):
            continue
        wanted = list(inspect.signature(value).parameters)[1:]
        (taken,) = re.findall(rf"^{name}\((.*)\)", getattr(real, name).__doc__, re.MULTILINE)
        names = [re.sub(r":.*", "", part).split()[-1] for part in taken.split(", ")] if taken else []
        assert names == wanted, name
    for name in ("cudaStreamNonBlocking", "cudaEventBlockingSync", "cudaEventDisableTiming", "cudaHostRegisterDefault"):
        assert getattr(real, name) == getattr(FakeCuda, name)
    for kind, value in vars(FakeCuda.cudaMemcpyKind).items():
        assert getattr(real.cudaMemcpyKind, kind) == value
    for mode, value in vars(FakeCuda.cudaStreamCaptureMode).items():
        assert getattr(real.cudaStreamCaptureMode, mode) == value
    for error in importlib.import_module("tests.support.fake_cuda").cudaError_t:
        assert getattr(real.cudaError_t, error.name) == error


def test_a_real_cuda_without_a_gpu_is_told_from_one_with() -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    from errors import UserError
    from inference.cuda import first_gpu, require_gpu

    gpu = first_gpu()
    if gpu is None:
        with pytest.raises(UserError, match=r"no NVIDIA GPU .* see nvidia-smi"):
            require_gpu()
    else:
        assert re.fullmatch(r"SM\d{2,3}", gpu.compute_capability)
        assert gpu.sm_count > 0
