"""Where a backend's time goes, by kind of layer, and which kinds stay below the machine's rate."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inference.openvino_backend import openvino_core
from inference.ort import import_onnxruntime
from profiling.matrix_rate import FLOPS, like, product
from profiling.model.operations import COUNTED, Operation, operations
from profiling.model.stages import Arrays

ROUNDS = 5
BACKENDS = ("openvino", "onnxruntime")
"""Those that say what each layer took."""
_COPIES = "copies (slice, pad, reorder, convert, concatenate)"
_ELEMENTWISE = "element-wise (sums, products, activations)"
_OTHER_KINDS = {
    **dict.fromkeys(("Slice", "StridedSlice", "Pad", "Reorder", "Convert", "Concatenation", "Concat", "Cast"), _COPIES),
    **dict.fromkeys(("ReorderInput", "ReorderOutput", "Transpose", "Reshape"), _COPIES),
    **dict.fromkeys(("Subgraph", "LeakyRelu", "Relu", "Eltwise", "Add", "Mul", "Sigmoid", "Sub", "Div"), _ELEMENTWISE),
    **dict.fromkeys(("TopK", "ArgMax"), "arg-max"),
    "ConvTranspose": "transposed convolution",
}


class LayerKind(NamedTuple):
    """All layers of one kind together: how many, median time of a run in ms, operations (0: no matrix work)."""

    kind: str
    layers: int
    ms: float
    flops: int


class Layers(NamedTuple):
    """The slowest kind first; and the rate of the machine's own matrix products, run before and after."""

    kinds: list[LayerKind]
    product_flops_per_s: float


class _Layer(NamedTuple):
    """What a library says of one layer in one run."""

    name: str
    operation: Operation
    ms: float


def layer_times(graph: Path, backend: str, precision: str, threads: int, inputs: Arrays) -> Layers:
    """What each kind of layer of ``graph`` takes in one of :data:`BACKENDS` on the CPU.

    Layers that the library fused into a convolution (bias, activation, sum) are counted with it. Runs that are profiled
    are a little slower than others.
    """
    run = _openvino if backend == "openvino" else _onnxruntime
    ms: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(ROUNDS))
    layers_of: dict[str, dict[str, int]] = defaultdict(dict)
    multiply = product(like(precision), threads)
    product_s = [_taken_s(multiply) for _ in range(1 + ROUNDS)][1:]
    for i, layers in enumerate(run(graph, precision, threads, inputs)):
        for name, operation, layer_ms in layers:
            ms[operation.kind][i] += layer_ms
            layers_of[operation.kind][name] = operation.flops
    product_s += [_taken_s(multiply) for _ in range(ROUNDS)]
    kinds = [
        LayerKind(kind, len(layers), float(np.median(ms[kind])), sum(layers.values()))
        for kind, layers in layers_of.items()
    ]
    return Layers(sorted(kinds, key=lambda kind: -kind.ms), FLOPS / float(np.median(product_s)))


def _taken_s(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _openvino(graph: Path, precision: str, threads: int, inputs: Arrays) -> Iterable[list[_Layer]]:
    core = openvino_core()
    settings = {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERF_COUNT": True,
    }
    model = core.read_model(graph)
    counted = operations(model)
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    for i in range(-1, ROUNDS):
        request.infer(dict(inputs))
        if i >= 0:
            yield [
                _Layer(info.node_name, counted.get(info.node_name, _other(info.node_type)), ms)
                for info in request.get_profiling_info()
                if (ms := 1e3 * info.real_time.total_seconds())  # else fused into another, or done when compiling
            ]


def _onnxruntime(graph: Path, precision: str, threads: int, inputs: Arrays) -> Iterable[list[_Layer]]:
    ort = import_onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for _ in range(1 + ROUNDS):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_bytes())
    runs: list[list[_Layer]] = [[]]
    for event in events:
        if event["cat"] == "Node":
            runs[-1].append(_Layer(event["name"], _described(event["args"]), event["dur"] / 1e3))
        elif event["name"] == "model_run":  # told after the layers of its run
            runs.append([])
    return runs[1:-1]


def _described(told: dict[str, Any]) -> Operation:
    """From the shapes that ONNX Runtime tells of a layer: ``[{"float": [1, 5, 64, 512]}, …]``."""
    name = told["op_name"]
    shapes = [next(iter(each.values())) for each in (*told["input_type_shape"][:2], told["output_type_shape"][0])]
    if name not in COUNTED or len(shapes) < 3 or len(shapes[1]) < 2:  # it tells nothing of weights that it packed
        return _other(name)
    return COUNTED[name](*shapes)


def _other(name: str) -> Operation:
    return Operation(_OTHER_KINDS.get(name, name), 0)
