"""A float32 graph whose convolutions and matrix products multiply int8, calibrated on real inputs.

Quantisation is written as pairs of QuantizeLinear and DequantizeLinear (Q/DQ) before the operators that sum products,
as TensorRT wants it: symmetric, one scale for an activation, one for each output channel of a weight (Wu et al.,
"Integer Quantization for Deep Learning Inference", 2020, sections 3 and 4). Sums, biases and results stay float32.

Why not ``onnxruntime.quantization``: its calibrators of histograms hold every activation of every input at once (the
simplest one, without histograms, takes 2.3 GB for three scans of 64x512), it works through files, and knows no way to
tell which layers lose most without running the network once for each. What is left, to write the pairs, is the smaller
part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from errors import UserError
from export.precision.calibrate import LEVELS, Inputs, run, spans
from export.precision.graph import WEIGHTED
from export.precision.keep import KeepFp32, first_and_last, named

log = logging.getLogger(__name__)

TOLERATED_NOISE = 0.01
"""An operator of which rounding to int8 makes more noise than this share of its result's power stays float32."""


class Quantisable(NamedTuple):
    """An operator that can be quantised: its input, its weight, and the axis of the weight's output channels."""

    node: str
    value: str
    weight: str
    axis: int


def to_int8(model: onnx.ModelProto, calibration: Iterable[Inputs] | None, keep: KeepFp32) -> onnx.ModelProto:
    """``model`` (float32, as :func:`export.precision.graph.prepared` gives it) with its weighted operators in int8.

    Float32 stay: those that ``keep`` names; the first (what they are given are measurements, whose range int8 cannot
    span) and the last ones; and those that lose most, :data:`TOLERATED_NOISE`.

    Raises:
        UserError: no calibration, inputs that are not the graph's, or nothing that can be quantised.
    """
    samples = list(calibration or ())
    if not samples:
        raise UserError("int8 needs --calibrate DIR, real inputs from which the ranges of activations are learnt")
    _check_inputs(model.graph, samples)
    float32 = {node.name for node in model.graph.node if node.op_type in keep.operators}
    float32 |= named(model.graph, keep) | first_and_last(model.graph)
    layers = [layer for layer in quantisable(model.graph) if layer.node not in float32]
    if not layers:
        raise UserError("int8: no operator of the graph can be quantised; take another precision")
    span = spans(model, sorted({layer.value for layer in layers}), samples)
    noise = noise_to_signal(model, layers, span, samples)
    chosen = [layer for layer in layers if noise[layer.node] <= TOLERATED_NOISE]
    for layer in layers:
        if layer not in chosen:
            log.info(
                "%s stays float32: in int8 %.1f %% of its result would be noise", layer.node, 100 * noise[layer.node]
            )
    if not chosen:
        raise UserError(f"int8: every operator would lose more than {TOLERATED_NOISE:.0%} of its result to noise")
    return quantised(model, chosen, span)


def quantisable(graph: onnx.GraphProto) -> list[Quantisable]:
    """The operators that sum products of a value and a constant weight."""
    weights = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type in WEIGHTED and node.input[1] in weights and node.input[0] not in weights:
            axis = _output_axis(node, weights[node.input[1]])
            found.append(Quantisable(node.name, node.input[0], node.input[1], axis))
    return found


def _output_axis(node: onnx.NodeProto, ndim: int) -> int:
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "Gemm":
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return 0 if transposed else 1
    return ndim - 1


def quantised(model: onnx.ModelProto, layers: Sequence[Quantisable], span: dict[str, float]) -> onnx.ModelProto:
    """A copy of ``model`` with Q/DQ before ``layers``. ``span``: of each value, see :func:`calibrate.spans`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    by_node = {layer.node: layer for layer in layers}
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, onnx.TensorProto] = {}
    done: set[str] = set()
    for node in graph.node:
        layer = by_node.get(node.name)
        if layer is not None:
            value, weight = f"{layer.value}.int8", f"{layer.weight}.int8"
            if value not in done:
                added |= _tensors(value, np.float32((span[layer.value] or 1) / LEVELS), np.int8(0))
                nodes += _pair(layer.value, value)
            if weight not in done:
                levels, scale = quantised_weight(weights[layer.weight], layer.axis)
                added |= _tensors(weight, scale, np.zeros(scale.shape, np.int8))
                added[weight] = numpy_helper.from_array(levels, weight)
                nodes.append(_dequantise(weight, layer.axis))
            done |= {value, weight}
            node.input[0], node.input[1] = f"{value}.float", f"{weight}.float"
        nodes.append(node)
    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    stored = [tensor for tensor in (*graph.initializer, *added.values()) if tensor.name in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(stored)
    return copy


def quantised_weight(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (int8, −127..127) and scale per channel [channels] float32, so that levels · scale ≈ ``weight``."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.abs(weight).max(axis=others, keepdims=True) / np.float32(LEVELS)
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale.reshape(-1)


def noise_to_signal(
    model: onnx.ModelProto, layers: Sequence[Quantisable], span: dict[str, float], samples: Sequence[Inputs]
) -> dict[str, float]:
    """How much of each operator's result is noise if it alone were quantised: power of the error / power of the result.

    One graph has every operator twice, in float32 and quantised, both given the float32 value, and sums up squares: two
    runs of the network are all that it costs.
    """
    probed = quantised(model, layers, span)
    originals = {node.name: node for node in model.graph.node}
    names = {layer.node for layer in layers}
    nodes, results = [], []
    for node in probed.graph.node:
        if node.name in names:
            result = node.output[0]
            twin = onnx.NodeProto()
            twin.CopyFrom(node)
            twin.name, twin.output[0] = f"{node.name}.rough", f"{result}.rough"
            nodes += [originals[node.name], twin]
            nodes.append(helper.make_node("Sub", [result, f"{result}.rough"], [f"{result}.error"]))
            for value in (f"{result}.error", result):
                nodes.append(helper.make_node("ReduceSumSquare", [value], [f"{value}.power"], keepdims=0))
                results.append(f"{value}.power")
        else:
            nodes.append(node)
    stored = {tensor.name for tensor in probed.graph.initializer}
    weights = [t for t in model.graph.initializer if t.name not in stored]
    del probed.graph.node[:], probed.graph.output[:]
    probed.graph.node.extend(nodes)
    probed.graph.initializer.extend(weights)
    probed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results)
    power = np.sum([[float(value) for value in found] for found in run(probed, samples)], axis=0).reshape(-1, 2)
    order = [node.name for node in model.graph.node if node.name in names]
    return {name: float(error / max(signal, 1e-30)) for name, (error, signal) in zip(order, power, strict=True)}


def _tensors(name: str, scale: np.ndarray, zero: np.ndarray) -> dict[str, onnx.TensorProto]:
    return {
        f"{name}.{what}": numpy_helper.from_array(np.asarray(array), f"{name}.{what}")
        for what, array in (("scale", scale), ("zero", zero))
    }


def _pair(value: str, name: str) -> list[onnx.NodeProto]:
    parameters = [f"{name}.scale", f"{name}.zero"]
    quantise = helper.make_node("QuantizeLinear", [value, *parameters], [name], name=f"quantise {value}")
    return [quantise, _dequantise(name)]


def _dequantise(name: str, axis: int | None = None) -> onnx.NodeProto:
    along = {} if axis is None else {"axis": axis}
    inputs = [name, f"{name}.scale", f"{name}.zero"]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}.float"], name=f"dequantise {name}", **along)


def _check_inputs(graph: onnx.GraphProto, samples: Sequence[Inputs]) -> None:
    wanted = {value.name for value in graph.input}
    for sample in samples:
        if set(sample) != wanted:
            raise UserError(
                f"int8: calibration gives {', '.join(sorted(sample)) or 'nothing'}, "
                f"but the graph takes {', '.join(sorted(wanted))}"
            )
