"""The ONNX Runtime backend."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from errors import UserError
from inference.manifest import Tensor
from inference.session import Precision

# ONNX Runtime's own names of the dtypes that NumPy has.
_DTYPES = {
    "float": "float32",
    "double": "float64",
    **{
        name: name
        for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "float16")
    },
}


def import_onnxruntime() -> ModuleType:
    """Import ``onnxruntime`` so that it tells nobody. Import it through this function only.

    From 1.29 its import writes an identifier to the home folder and uploads what it runs, with the names of models. The
    variable stops that only if it is set before; a user who has set it to something else is heard.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class OrtEngine:
    """An ONNX Runtime session in the graph's own precision, which is ``precision``. Threads do not spin.

    ``provider`` is asked for; where it cannot be had ONNX Runtime takes the CPU, and :attr:`provider` says so.

    Raises:
        UserError: the graph cannot be loaded.
    """

    def __init__(self, graph: Path, provider: str, precision: Precision, threads: int) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A thread that spins after its work is done takes the core from the next node.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors
        settings = {"use_tf32": "0"} if provider == "CUDAExecutionProvider" else {}  # tf32 is not fp32
        if provider not in onnxruntime.get_available_providers():
            provider, settings = "CPUExecutionProvider", {}
        try:
            self._session: Any = onnxruntime.InferenceSession(graph, options, providers=[(provider, settings)])
        except Exception as error:  # its exceptions have no base class of their own
            raise UserError(
                f"{graph}: ONNX Runtime cannot load it ({_one_line(error)}); export the model again"
            ) from error
        self.provider: str = self._session.get_providers()[0]
        self.precision: Precision = precision
        self.inputs = tuple(_tensor(graph, node) for node in self._session.get_inputs())
        self.outputs = tuple(_tensor(graph, node) for node in self._session.get_outputs())
        self._binding: Any = self._session.io_binding()
        self._results = [_buffer(tensor) for tensor in self.outputs]

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        binding = self._binding
        for tensor, array in zip(self.inputs, arrays, strict=True):
            binding.bind_cpu_input(tensor.name, np.ascontiguousarray(array))
        for tensor, result in zip(self.outputs, self._results, strict=True):
            if result is None:
                binding.bind_output(tensor.name, "cpu")
            else:
                binding.bind_output(tensor.name, "cpu", 0, result.dtype, result.shape, result.ctypes.data)
        self._session.run_with_iobinding(binding)
        values = binding.get_outputs()
        return [v.numpy() if result is None else result for v, result in zip(values, self._results, strict=True)]

    def close(self) -> None:
        self._binding = None
        self._session = None


def _buffer(tensor: Tensor) -> np.ndarray | None:
    """Memory for results of a size that is known; None: ONNX Runtime allocates them at each run."""
    return (
        np.empty([int(size) for size in tensor.shape if size is not None], tensor.dtype) if tensor.is_static else None
    )


def _tensor(graph: Path, node: Any) -> Tensor:
    onnx_type = node.type.removeprefix("tensor(").removesuffix(")")
    if onnx_type not in _DTYPES:
        raise UserError(f"{graph}: {node.name!r} is {node.type}, which NumPy has no dtype for; export it with float32")
    return Tensor(name=node.name, dtype=_DTYPES[onnx_type], shape=tuple(node.shape))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
