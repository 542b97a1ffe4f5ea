"""The OpenVINO backend."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from errors import UserError
from inference.manifest import Manifest, Tensor
from inference.session import Precision
from inference.signal_stack import keep_signal_stack


def import_openvino() -> ModuleType:
    """Import ``openvino`` so that it tells nobody. Import it through this function only.

    The wheel's ``import openvino`` reports itself to Google Analytics from a forked child, and leaves an identifier in
    the home folder, unless its package ``openvino_telemetry`` cannot be imported: then it uses its own stub.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: importing it is an ImportError
    import openvino

    return openvino


def openvino_core() -> Any:
    """An ``openvino.Core`` with its CPU plugin loaded. Make it through this function only, see
    :func:`inference.signal_stack.keep_signal_stack`."""
    with keep_signal_stack():
        core = import_openvino().Core()
        core.get_property("CPU", "FULL_DEVICE_NAME")  # loads the plugin
    return core


class OpenVinoEngine:
    """A graph compiled by OpenVINO for the CPU: one stream, latency first, threads not pinned to cores.

    ``graph``: ``.onnx``, or OpenVINO's own ``.xml``. ``precision``: int8 is what the graph says (Q/DQ), the rest of it
    in fp32; bf16 and fp32 are what the graph is computed in, whatever its weights are stored as.

    Raises:
        UserError: the graph cannot be loaded or compiled.
    """

    def __init__(self, graph: Path, manifest: Manifest, precision: Precision, threads: int) -> None:
        openvino = import_openvino()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned threads of two processes would meet on the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        try:
            # The reader by name: Core.read_model tries a file that it cannot read as every other format it knows.
            reader = openvino.frontend.FrontEndManager().load_by_framework("ir" if graph.suffix == ".xml" else "onnx")
            self._compiled: Any = openvino_core().compile_model(
                reader.convert(reader.load(str(graph))), "CPU", settings
            )
        except Exception as error:  # its exceptions have no base class of their own
            raise UserError(f"{graph}: OpenVINO cannot load it ({_one_line(error)}); export the model again") from error
        self.provider: str = ", ".join(self._compiled.get_property("EXECUTION_DEVICES"))
        in_use = self._compiled.get_property("INFERENCE_PRECISION_HINT")
        in_words: Precision = "bf16" if in_use == openvino.Type.bf16 else "fp32"
        self.precision: Precision = "int8" if precision == "int8" else in_words
        self.inputs = tuple(_tensor(port, manifest.inputs) for port in self._compiled.inputs)
        self.outputs = tuple(_tensor(port, manifest.outputs) for port in self._compiled.outputs)
        self._request: Any = self._compiled.create_infer_request()
        self._wrap = openvino.Tensor
        self._results: list[np.ndarray | None] = [None] * len(self.outputs)
        for i, port in enumerate(self._compiled.outputs):
            if port.partial_shape.is_static:
                self._results[i] = np.empty(tuple(port.shape), port.get_element_type().to_dtype())
                self._request.set_output_tensor(i, self._wrap(self._results[i], shared_memory=True))

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        for i, array in enumerate(arrays):
            usable = np.require(array, requirements=["C", "W"])
            self._request.set_input_tensor(i, self._wrap(usable, shared_memory=True))
        self._request.infer()
        return [self._request.get_output_tensor(i).data if r is None else r for i, r in enumerate(self._results)]

    def close(self) -> None:
        self._request = None
        self._compiled = None


def _tensor(port: Any, declared: Sequence[Tensor]) -> Tensor:
    # Optimising a graph merges values, and a port then has the names of all of them.
    name = next((tensor.name for tensor in declared if tensor.name in port.get_names()), port.any_name)
    shape = tuple(None if size.is_dynamic else size.get_length() for size in port.partial_shape)
    return Tensor(name=name, dtype=port.get_element_type().to_dtype().name, shape=shape)


def _one_line(error: Exception) -> str:
    """The message without the C++ source lines it starts with."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check "))]
    return " ".join(telling or lines)[:300]
