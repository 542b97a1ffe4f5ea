"""Where OpenVINO's time goes, by kind of layer, and which kinds stay below the machine's rate."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inference.openvino_backend import openvino_core

_ROUNDS = 5
_OTHER_KINDS = {
    "Subgraph": "element-wise (product with the attention, activations)",
    "Slice": "copies (slice, pad, reorder, convert)",
    "StridedSlice": "copies (slice, pad, reorder, convert)",
    "Pad": "copies (slice, pad, reorder, convert)",
    "Reorder": "copies (slice, pad, reorder, convert)",
    "Convert": "copies (slice, pad, reorder, convert)",
    "Concatenation": "copies (slice, pad, reorder, convert)",
    "LeakyRelu": "element-wise (product with the attention, activations)",
    "Eltwise": "element-wise (product with the attention, activations)",
    "TopK": "arg-max",
}


class LayerKind(NamedTuple):
    """All layers of one kind together: how many, median time of a pass, operations (0: not a convolution)."""

    kind: str
    layers: int
    ms: float
    flops: int


def layer_times(graph: Path, threads: int, image: np.ndarray) -> list[LayerKind]:
    """Profile ``graph`` (ONNX) in OpenVINO bf16 on ``image`` [1, 5, H, W] float32; the slowest kind first.

    Layers that OpenVINO fused into a convolution (bias, activation, sum) are counted with it.
    """
    core = openvino_core()
    model = core.read_model(graph)
    settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled = core.compile_model(model, "CPU", {**settings, "PERF_COUNT": True})
    request = compiled.create_infer_request()
    operations = {op.get_friendly_name(): op for op in model.get_ops()}
    names, ms = defaultdict(set), defaultdict(lambda: np.zeros(_ROUNDS))
    flops: dict[str, int] = defaultdict(int)
    for i in range(-1, _ROUNDS):
        request.infer([image])
        if i < 0:
            continue
        for layer in request.get_profiling_info():
            if layer.real_time.total_seconds() == 0:  # fused into another, or done when compiling
                continue
            kind, layer_flops = _describe(operations.get(layer.node_name), layer.node_type)
            ms[kind][i] += 1e3 * layer.real_time.total_seconds()
            if layer.node_name not in names[kind]:
                names[kind].add(layer.node_name)
                flops[kind] += layer_flops
    kinds = [LayerKind(kind, len(names[kind]), float(np.median(ms[kind])), flops[kind]) for kind in ms]
    return sorted(kinds, key=lambda kind: -kind.ms)


def _describe(operation: Any, node_type: str) -> tuple[str, int]:
    """The kind a layer is reported under, and its operations."""
    if node_type not in ("Convolution", "ConvolutionBackpropData") or operation is None:
        return _OTHER_KINDS.get(node_type, node_type), 0
    weight, result = operation.input(1).get_shape(), operation.output(0).get_shape()
    kernel = f"{weight[2]}×{weight[3]}"
    if node_type == "ConvolutionBackpropData":  # weight [in, out, kH, kW]; each input pixel meets every weight
        return f"transposed convolution {kernel}", 2 * math.prod(weight) * math.prod(operation.input(0).get_shape()[2:])
    channels = f"{weight[1]} → {weight[0]}"
    return f"convolution {kernel}, {channels}", 2 * math.prod(weight) * math.prod(result[2:])
