"""What precisions a graph really has: its operators, weights, Q/DQ pairs and largest tensors."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.precision.graph import WEIGHTED, Value, values

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
CONVERSIONS = ("Cast", "QuantizeLinear", "DequantizeLinear")


class TensorSize(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of the graph and the memory it takes. ``role``: ``weight`` or ``activation``."""

    name: str
    role: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


class PrecisionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph says that it is computed in.

    ``operators``: dtype → how many compute in it, conversions left out. ``int8``: weighted operators whose input and
    weight are both dequantised from int8. ``weight_bytes``: dtype → bytes in the file. ``casts``: of values between
    any dtypes; those that only restore a weight stored small are left out. ``qdq_pairs``: values quantised and
    dequantised again in the graph. ``denormal_weights``: too small for all bits of their 16-bit dtype.
    ``custom_domains``: domain → number of operators that are not ONNX's own. ``largest``: the largest tensors, those of
    unknown size left out.
    """

    opset: dict[str, int]
    operators: dict[str, int]
    operator_types: dict[str, int]
    weight_bytes: dict[str, int]
    casts: int
    qdq_pairs: int
    denormal_weights: int
    custom_domains: dict[str, int]
    largest: tuple[TensorSize, ...]


def describe(model: onnx.ModelProto, largest: int = 10) -> PrecisionReport:
    """What ``model`` is computed in, as the graph says. ``largest``: how many of the largest tensors to tell."""
    graph = model.graph
    known = values(model)
    producers = {name: node for node in graph.node for name in node.output}
    weights = {tensor.name for tensor in graph.initializer}

    operators = Counter(
        _computed_in(node, known, producers) for node in graph.node if node.op_type not in (*CONVERSIONS, "Constant")
    )
    weight_bytes: Counter[str] = Counter()
    for tensor in graph.initializer:
        weight_bytes[_dtype(tensor.data_type)] += _bytes(Value(tensor.data_type, tuple(tensor.dims)))
    sizes = [
        TensorSize(
            name=name,
            role="weight" if name in weights else "activation",
            dtype=_dtype(value.elem_type),
            shape=value.shape,
            bytes=_bytes(value),
        )
        for name, value in known.items()
        if value.elem_type and value.shape is not None and None not in value.shape
    ]
    return PrecisionReport(
        opset={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        operators=dict(operators.most_common()),
        operator_types=dict(Counter(node.op_type for node in graph.node).most_common()),
        weight_bytes=dict(weight_bytes.most_common()),
        casts=sum(node.op_type == "Cast" and node.input[0] not in weights for node in graph.node),
        qdq_pairs=sum(_source(node, 0, producers) == "QuantizeLinear" for node in graph.node if _dequantises(node)),
        denormal_weights=sum(_denormals(tensor) for tensor in graph.initializer),
        custom_domains=dict(Counter(node.domain for node in graph.node if node.domain not in ("", "ai.onnx"))),
        largest=tuple(sorted(sizes, key=lambda size: (-size.bytes, size.name))[:largest]),
    )


def _computed_in(node: onnx.NodeProto, known: dict[str, Value], producers: dict[str, onnx.NodeProto]) -> str:
    if node.op_type in WEIGHTED and all(_source(node, i, producers) == "DequantizeLinear" for i in (0, 1)):
        return "int8"
    types = [known[name].elem_type for name in (*node.output, *node.input) if name in known]
    return _dtype(next((t for t in types if t in FLOATS), types[0] if types else TensorProto.UNDEFINED))


def _source(node: onnx.NodeProto, position: int, producers: dict[str, onnx.NodeProto]) -> str:
    """The operator that gives a node's input; empty where it is a weight or an input of the graph."""
    producer = producers.get(node.input[position])
    return producer.op_type if producer else ""


def _dequantises(node: onnx.NodeProto) -> bool:
    return node.op_type == "DequantizeLinear"


def _dtype(elem_type: int) -> str:
    """NumPy's name of an element type: ``float32``; ``unknown`` where it could not be inferred."""
    return helper.tensor_dtype_to_np_dtype(elem_type).name if elem_type else "unknown"


def _bytes(value: Value) -> int:
    return math.prod(value.shape) * helper.tensor_dtype_to_np_dtype(value.elem_type).itemsize


def _denormals(tensor: onnx.TensorProto) -> int:
    if tensor.data_type not in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
        return 0
    weight = np.abs(numpy_helper.to_array(tensor).astype(np.float32))
    exponent = -14 if tensor.data_type == TensorProto.FLOAT16 else -126
    return int(((weight > 0) & (weight < 2.0**exponent)).sum())
