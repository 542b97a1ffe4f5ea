"""The TensorRT backend: an engine of TensorRT or TensorRT-RTX on the first GPU."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from errors import UserError
from inference.cuda import CudaError, call, import_cuda, require_gpu
from inference.manifest import Manifest, Tensor
from inference.session import Precision
from inference.tensorrt_library import TITLES, check_runs_here, load_library, make_logger, read_header
from whole_files import write_whole

log = logging.getLogger(__name__)


class _Slot(msgspec.Struct):
    """One input or output: pinned host memory and device memory for its largest shape; ``view`` has the present one."""

    tensor: Tensor
    host: np.ndarray
    device: int
    view: np.ndarray


class TensorRtEngine:
    """A deserialised engine with its own stream, pinned host buffers and device buffers: nothing is allocated per run.

    ``precision`` is what the manifest says: it is in the graph, which TensorRT takes as it is (strongly typed).

    Args:
        library: ``tensorrt`` or ``tensorrt-rtx``.
        engine: the file. What the manifest says that it was built for is compared with this machine first.
        cuda_graph: launch copies and kernels as one CUDA graph, captured anew whenever shapes change: saves the time of
            launching each kernel.
        jit_cache: a file where TensorRT-RTX keeps what it compiles when an engine is opened, for the next time.

    Raises:
        UserError: no GPU, no library, or the engine is for another one; it cannot be loaded or captured.
    """

    def __init__(
        self,
        engine: Path,
        library: str,
        manifest: Manifest,
        precision: Precision,
        *,
        cuda_graph: bool = False,
        jit_cache: Path | None = None,
    ) -> None:
        self.precision: Precision = precision
        self._path = engine
        self._errors: list[str] = []
        self._held = ExitStack()  # what must be freed, in the order in which it was taken
        self._shapes: tuple[tuple[int, ...], ...] | None = None
        self._graph: Any = None
        try:
            header = read_header(engine)
            if header.library != library:
                raise UserError(f"{engine}: was built by {header}; set the backend to {header.library}")
            gpu = require_gpu()
            self._library = load_library(header.library)
            built_for = next((a.built_for for a in manifest.artifacts if engine.name in a.files), {})
            check_runs_here(engine, header, built_for, self._library, gpu)
            self._cuda: Any = import_cuda()
            self.provider: str = TITLES[header.library]
            self._load(built_for.get("version_compatible") == "true", cuda_graph, jit_cache)
        except CudaError as error:
            self.close()
            raise UserError(f"{engine}: cannot be opened on {gpu}: {error}") from error
        except BaseException:
            self.close()
            raise

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As :class:`inference.session.Engine` says. Raises :class:`ValueError` for shapes outside the profile."""
        shapes = tuple(array.shape for array in arrays)
        if shapes != self._shapes:
            self._set_shapes(shapes)
        for slot, array in zip(self._inputs, arrays, strict=True):
            np.copyto(slot.view, array)
        if self._graph is None:
            self._enqueue()
        else:
            call(self._cuda.cudaGraphLaunch, self._graph, self._stream)
        self._wait()
        return self._results

    def close(self) -> None:
        """Free everything, in the reverse order of taking it. Results stay readable: their memory is NumPy's."""
        self._held.close()

    def _load(self, host_code: bool, cuda_graph: bool, jit_cache: Path | None) -> None:
        trt, cuda = self._library.module, self._cuda
        self._runtime = trt.Runtime(make_logger(self._library, self._heard))
        self._held.callback(self._forget, "_runtime")
        if host_code:  # a version-compatible engine carries the runtime of its version, as code of this machine
            self._runtime.engine_host_code_allowed = True
        self._engine = self._require(self._runtime.deserialize_cuda_engine(self._path.read_bytes()), "be loaded")
        self._held.callback(self._forget, "_engine")
        self._context = self._require(self._create_context(cuda_graph, jit_cache), "get the GPU memory it needs")
        self._held.callback(self._forget, "_context")
        self._stream = call(cuda.cudaStreamCreateWithFlags, cuda.cudaStreamNonBlocking)
        self._held.callback(_free, cuda.cudaStreamDestroy, self._stream)
        # Waiting for a blocking event leaves the core to the next node; cudaStreamSynchronize would spin on it.
        self._done = call(cuda.cudaEventCreateWithFlags, cuda.cudaEventBlockingSync | cuda.cudaEventDisableTiming)
        self._held.callback(_free, cuda.cudaEventDestroy, self._done)

        self._profile: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        for name in (name for name in names if is_input[name]):
            smallest, _, largest = (tuple(d) for d in self._engine.get_tensor_profile_shape(name, 0))
            self._profile[name] = (smallest, largest)
            self._require(self._context.set_input_shape(name, largest), f"take input {name} of {list(largest)}")
        # With the largest inputs set, the context knows the largest outputs.
        self._inputs = [self._take_slot(name) for name in names if is_input[name]]
        self._outputs = [self._take_slot(name) for name in names if not is_input[name]]
        self.inputs = tuple(slot.tensor for slot in self._inputs)
        self.outputs = tuple(slot.tensor for slot in self._outputs)
        self._captures = cuda_graph and self._library.name == "tensorrt"
        self._held.callback(self._drop_graph)
        self._held.callback(_free, cuda.cudaStreamSynchronize, self._stream)  # nothing is freed under a running kernel
        # Largest first: what does not fit into memory fails at open, not at some later scan.
        self._set_shapes(tuple(self._profile[slot.tensor.name][1] for slot in self._inputs))

    def _create_context(self, cuda_graph: bool, jit_cache: Path | None) -> Any:
        if self._library.name == "tensorrt":
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        if cuda_graph:
            config.cuda_graph_strategy = self._library.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        if jit_cache is not None:
            cache = config.create_runtime_cache()
            if jit_cache.is_file() and not cache.deserialize(jit_cache.read_bytes()):
                log.info("%s: is of another GPU, driver or TensorRT-RTX; the engine is compiled anew", jit_cache)
            config.set_runtime_cache(cache)
            self._held.callback(_save_jit_cache, cache, jit_cache)
        return self._engine.create_execution_context(config)

    def _take_slot(self, name: str) -> _Slot:
        """Memory for one tensor as large as it gets, bound to the context."""
        shape = tuple(self._context.get_tensor_shape(name))
        if any(size < 0 for size in shape):
            raise UserError(f"{self._path}: the size of {name} depends on the data; export it with a fixed one")
        try:
            dtype = np.dtype(self._library.module.nptype(self._engine.get_tensor_dtype(name)))
        except TypeError as error:
            kind = self._engine.get_tensor_dtype(name)
            raise UserError(
                f"{self._path}: {name} is {kind}, which NumPy has no dtype for; export it as fp32"
            ) from error
        host = np.zeros(max(math.prod(shape), 1) * dtype.itemsize, np.uint8)
        call(self._cuda.cudaHostRegister, host.ctypes.data, host.nbytes, self._cuda.cudaHostRegisterDefault)
        self._held.callback(_free, self._cuda.cudaHostUnregister, host.ctypes.data)
        device = int(call(self._cuda.cudaMalloc, host.nbytes))
        self._held.callback(_free, self._cuda.cudaFree, device)
        self._require(self._context.set_tensor_address(name, device), f"use its memory for {name}")
        sizes = tuple(None if size < 0 else int(size) for size in self._engine.get_tensor_shape(name))
        tensor = Tensor(name=name, dtype=dtype.name, shape=sizes)
        return _Slot(tensor=tensor, host=host, device=device, view=_view(host, dtype, shape))

    def _set_shapes(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Make ready for inputs of these shapes: check the profile, size the views, run once, capture the graph."""
        self._shapes = None
        self._drop_graph()
        for slot, shape in zip(self._inputs, shapes, strict=True):
            smallest, largest = self._profile[slot.tensor.name]
            if not all(low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True)):
                raise ValueError(
                    f"input {slot.tensor}: got {list(shape)}, the engine takes {list(smallest)} to {list(largest)}"
                )
            self._require(self._context.set_input_shape(slot.tensor.name, shape), f"take {list(shape)}")
        for slot in (*self._inputs, *self._outputs):
            shape = tuple(self._context.get_tensor_shape(slot.tensor.name))
            slot.view = _view(slot.host, np.dtype(slot.tensor.dtype), shape)
        self._results = [slot.view for slot in self._outputs]
        if self._captures:
            self._enqueue()  # after new shapes TensorRT does work that must not be part of a graph
            self._wait()
            self._graph = self._capture()
        self._shapes = shapes

    def _enqueue(self) -> None:
        """Queue copies to the device, the network, and copies back. All of a run, for capture too."""
        cuda = self._cuda
        for slot in self._inputs:
            to_device = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
            call(cuda.cudaMemcpyAsync, slot.device, slot.host.ctypes.data, slot.view.nbytes, to_device, self._stream)
        self._require(self._context.execute_async_v3(int(self._stream)), "be run")
        for slot in self._outputs:
            to_host = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
            call(cuda.cudaMemcpyAsync, slot.host.ctypes.data, slot.device, slot.view.nbytes, to_host, self._stream)

    def _wait(self) -> None:
        call(self._cuda.cudaEventRecord, self._done, self._stream)
        call(self._cuda.cudaEventSynchronize, self._done)

    def _capture(self) -> Any:
        cuda = self._cuda
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        call(cuda.cudaStreamBeginCapture, self._stream, mode)
        with ExitStack() as held:
            try:
                self._enqueue()
            finally:  # without raising: what cannot be captured has said why
                ended, graph = cuda.cudaStreamEndCapture(self._stream)
                if int(ended) == 0:
                    held.callback(_free, cuda.cudaGraphDestroy, graph)
            if int(ended) != 0:
                raise CudaError(f"cudaStreamEndCapture: {ended.name}")
            return call(cuda.cudaGraphInstantiate, graph, 0)

    def _drop_graph(self) -> None:
        if self._graph is not None:
            graph, self._graph = self._graph, None
            _free(self._cuda.cudaGraphExecDestroy, graph)

    def _require(self, result: Any, what: str) -> Any:
        """``result``, unless it is None or False, as the library answers what it cannot do."""
        if result is None or result is False:
            why = self._errors[-1] if self._errors else "it does not say why"
            raise UserError(f"{self._path}: cannot {what} by {self._library}: {why}")
        return result

    def _heard(self, level: str, line: str) -> None:
        if level in ("ERROR", "INTERNAL_ERROR"):
            self._errors.append(" ".join(line.split())[:300])
        elif level == "WARNING":
            log.warning("%s: %s", self._path, " ".join(line.split()))

    def _forget(self, name: str) -> None:
        setattr(self, name, None)


def _free(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function of CUDA that frees. After a failure on the GPU each of them fails; all are called."""
    try:
        call(function, *arguments)
    except CudaError as error:
        log.warning("%s", error)


def _view(host: np.ndarray, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    return host[: math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


def _save_jit_cache(cache: Any, path: Path) -> None:
    try:
        write_whole(path, memoryview(cache.serialize()))
    except OSError as error:
        log.warning("%s: cannot be written (%s); the engine is compiled anew next time", path, error.strerror)
