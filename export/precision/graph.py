"""Graphs made ready for lowering: plain float32 weights, no functions, a known type for every tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import onnx
from onnx import inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from errors import UserError

WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators that sum products: nearly all of a network's arithmetic."""


_NOT_FOLDED = ("DequantizeLinear", "Random", "Bernoulli")
"""Operators that constants must reach: what quantised weights mean, and chance."""


class Value(NamedTuple):
    """A tensor of a graph: element type as in :class:`onnx.TensorProto`, sizes (None: not known)."""

    elem_type: int
    shape: tuple[int | None, ...] | None


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` with its functions inlined and all that depends on constants alone computed.

    Weights that :mod:`export.weights` stores small are thereby float32 again. Every node has a name.

    Raises:
        UserError: the graph has operators that are not ONNX's own.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if copy.functions:
        copy = inliner.inline_local_functions(copy)
    for position, node in enumerate(copy.graph.node):
        node.name = node.name or f"{node.op_type}_{position}"
        if node.domain not in ("", "ai.onnx"):
            raise UserError(
                f"operator {node.domain}.{node.op_type} ({node.name}) is not ONNX's own; its precision is unknown"
            )
    _fold_constants(copy.graph, copy.opset_import)
    return copy


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs of a node of control flow: a loop's body."""
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs) if graph.node]


def captured(node: onnx.NodeProto) -> set[str]:
    """Names of the tensors that a node's bodies take from around them."""
    found: set[str] = set()
    for body in bodies(node):
        own = {value.name for value in (*body.input, *body.initializer)}
        own |= {name for inner in body.node for name in inner.output}
        found |= {name for inner in body.node for name in (*inner.input, *captured(inner))} - own
    return found


def rename_read(body: onnx.GraphProto, name: str, new_name: str) -> None:
    """Have a body take another tensor from around it, in bodies within it too."""
    for node in body.node:
        node.input[:] = [new_name if each == name else each for each in node.input]
        for inner in bodies(node):
            rename_read(inner, name, new_name)


def _fold_constants(graph: onnx.GraphProto, opsets: list[onnx.OperatorSetIdProto]) -> None:
    stored = {tensor.name: tensor for tensor in graph.initializer}
    results = {output.name for output in graph.output}
    kept = []
    for node in graph.node:
        constant = all(name in stored for name in node.input if name) and not bodies(node)
        if not constant or results.intersection(node.output) or node.op_type.startswith(_NOT_FOLDED):
            kept.append(node)
            continue
        inputs = {name: numpy_helper.to_array(stored[name]) for name in node.input if name}
        single = onnx.helper.make_model(
            onnx.helper.make_graph(
                [node],
                node.name,
                [onnx.helper.make_tensor_value_info(name, stored[name].data_type, None) for name in inputs],
                [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in node.output],
            ),
            opset_imports=opsets,
        )
        for name, value in zip(node.output, ReferenceEvaluator(single).run(None, inputs), strict=True):
            stored[name] = numpy_helper.from_array(np.asarray(value), name)
    used = {name for node in kept for name in (*node.input, *captured(node))} | results
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(tensor for name, tensor in stored.items() if name in used)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the graph is written in."""
    return next(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))


def values(model: onnx.ModelProto) -> dict[str, Value]:
    """Type and shape of every tensor of the graph, by name; those that cannot be inferred are absent."""
    return dict(_values(onnx.shape_inference.infer_shapes(model, data_prop=True).graph))


def _values(graph: onnx.GraphProto) -> Iterator[tuple[str, Value]]:
    for tensor in graph.initializer:
        yield tensor.name, Value(tensor.data_type, tuple(tensor.dims))
    for info in (*graph.input, *graph.value_info, *graph.output):
        tensor_type = info.type.tensor_type
        shape = (
            tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor_type.shape.dim)
            if tensor_type.HasField("shape")
            else None
        )
        yield info.name, Value(tensor_type.elem_type, shape)
