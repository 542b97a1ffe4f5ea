"""A float32 graph in 16 bits: weights and activations float16 or bfloat16, but what needs float32.

Why not a library: ``onnxruntime.transformers.float16`` (the one that is kept) knows no bfloat16, clips weights beyond
float16's range without a word, rounds what one kept operator hands to the next to 16 bits, casts a value anew for
each reader under one and the same name, and leaves nodes out of order, which ONNX's checker refuses (1.31).
"""

from __future__ import annotations

import logging

import ml_dtypes
import numpy as np
import onnx
import onnx.version_converter
from onnx import TensorProto, helper, numpy_helper

from errors import UserError
from export.precision.graph import bodies, captured, opset_of, rename_read, values
from export.precision.keep import Half, KeepFp32, kept_nodes
from export.to_onnx_options import BF16_OPSET

log = logging.getLogger(__name__)

ELEM_TYPES: dict[Half, int] = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
DTYPES: dict[Half, np.dtype] = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


def to_half(model: onnx.ModelProto, precision: Half, keep: KeepFp32) -> onnx.ModelProto:
    """``model`` (float32, as :func:`export.precision.graph.prepared` gives it) computed in ``precision``.

    bfloat16 needs operators of opset 22, to which older graphs are brought: ONNX has no bfloat16 convolution before it.
    ONNX Runtime and OpenVINO run few bfloat16 operators on a CPU; such a graph is for TensorRT and TensorRT-RTX.

    Inputs and outputs of the graph keep their dtypes and names. A tensor keeps its name in the precision it is computed
    in; the same in the other precision, where somebody needs it, is called ``NAME.fp32`` or ``NAME.fp16``.

    Raises:
        UserError: a weight is beyond the range of float16, or a pattern of ``keep`` matches nothing.
    """
    lowered = _at_least_opset(model, BF16_OPSET if precision == "bf16" else 13)
    _HalfGraph(lowered, precision, kept_nodes(lowered.graph, keep, precision)).rewrite()
    return lowered


def _at_least_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """A copy of ``model`` in that opset, or a later one if it is in that already."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if opset_of(model) >= opset:
        return copy
    try:
        return onnx.version_converter.convert_version(copy, opset)
    except RuntimeError as error:
        raise UserError(
            f"opset {opset_of(model)} cannot be brought to {opset}, which this precision needs "
            f"({' '.join(str(error).split())[:200]}); export with --opset {opset}"
        ) from error


class _HalfGraph:
    """The rewriting of one graph: which tensors it has in which precision so far, and its nodes so far, in order."""

    def __init__(self, model: onnx.ModelProto, precision: Half, kept: set[str]) -> None:
        self.graph = model.graph
        self.precision = precision
        self.elem_type = ELEM_TYPES[precision]
        self.opset = opset_of(model)
        self.kept = kept
        self.values = values(model)
        self.weights = {tensor.name: tensor for tensor in self.graph.initializer}
        self.results = {output.name for output in self.graph.output}
        self.found: dict[tuple[str, int], str] = {}  # (tensor, element type) → its name there
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, TensorProto] = {}
        self.denormal = self.lost = 0

    def rewrite(self) -> None:
        for value in self.graph.input:
            self.found[value.name, TensorProto.FLOAT] = value.name
        for node in self.graph.node:
            self._rewrite(node)
        for name in sorted(self.results):
            if self._is_float(name):
                self._reading(name, TensorProto.FLOAT)
            elif name in self.weights:
                self.stored[name] = self.weights[name]
        del self.graph.node[:], self.graph.initializer[:], self.graph.value_info[:]
        self.graph.node.extend(self.nodes)
        self.graph.initializer.extend(self.stored.values())
        if self.denormal or self.lost:
            log.info(
                "%s: %d weights are too small for all its bits, and %d of them become zero",
                *(self.precision, self.denormal, self.lost),
            )

    def _rewrite(self, node: onnx.NodeProto) -> None:
        schema = onnx.defs.get_schema(node.op_type, self.opset, node.domain)
        inside = bodies(node)
        wide = bool(inside) or node.name in self.kept or not self._allows_half(node, schema)
        for body in inside:
            self._read_around(body, captured(node))
        for i, name in enumerate(node.input):
            if not name:
                continue
            if self._is_float(name):
                half = not wide and self.elem_type in _allowed(schema, _formal(schema.inputs, i))
                node.input[i] = self._reading(name, self.elem_type if half else TensorProto.FLOAT)
            elif name in self.weights:
                self.stored[name] = self.weights[name]
        for i, name in enumerate(node.output):
            if self._is_float(name):
                node.output[i] = self._written(name, TensorProto.FLOAT if wide else self.elem_type)
        self.nodes.append(node)

    def _read_around(self, body: onnx.GraphProto, names: set[str]) -> None:
        """A loop computes in float32: what its body takes from around it is called what that is called there."""
        for name in sorted(names):
            if self._is_float(name):
                rename_read(body, name, self._reading(name, TensorProto.FLOAT))
            elif name in self.weights:
                self.stored[name] = self.weights[name]

    def _is_float(self, name: str) -> bool:
        return name in self.values and self.values[name].elem_type == TensorProto.FLOAT

    def _allows_half(self, node: onnx.NodeProto, schema: onnx.defs.OpSchema) -> bool:
        """Whether the operator's float outputs follow the type of an input that may have 16 bits (a Cast's do not)."""
        followed = {_formal(schema.inputs, i).type_str for i, name in enumerate(node.input) if self._is_float(name)}
        outputs = [_formal(schema.outputs, i) for i, name in enumerate(node.output) if self._is_float(name)]
        return all(out.type_str in followed and self.elem_type in _allowed(schema, out) for out in outputs)

    def _written(self, name: str, elem_type: int) -> str:
        """The name of an output in the precision it is computed in. The graph's own outputs are float32."""
        as_is = elem_type == TensorProto.FLOAT or name not in self.results
        self.found[name, elem_type] = name if as_is else f"{name}.{self.precision}"
        return self.found[name, elem_type]

    def _reading(self, name: str, elem_type: int) -> str:
        """The name of a tensor in a precision, in which it is made if there is none so far."""
        if (name, elem_type) in self.found:
            return self.found[name, elem_type]
        if name in self.weights:
            made = self._store(name, elem_type)
        else:
            half = elem_type == self.elem_type
            given = self.found[name, TensorProto.FLOAT if half else self.elem_type]
            made = f"{name}.{self.precision}" if half else name if name in self.results else f"{name}.fp32"
            self.nodes.append(helper.make_node("Cast", [given], [made], name=f"cast {made}", to=elem_type))
        self.found[name, elem_type] = made
        return made

    def _store(self, name: str, elem_type: int) -> str:
        """Keep a weight in a precision, under its own name unless that is taken by the other."""
        tensor = self.weights[name]
        if elem_type == self.elem_type:
            tensor = numpy_helper.from_array(self._rounded(name), name)
        if name in self.stored:
            tensor.name = f"{name}.{self.precision if elem_type == self.elem_type else 'fp32'}"
        self.stored[tensor.name] = tensor
        return tensor.name

    def _rounded(self, name: str) -> np.ndarray:
        weight = numpy_helper.to_array(self.weights[name])
        dtype = DTYPES[self.precision]
        limits = ml_dtypes.finfo(dtype)
        with np.errstate(over="ignore"):  # that is looked at next
            rounded = weight.astype(dtype)
        if not np.isfinite(rounded.astype(np.float32))[np.isfinite(weight)].all():
            raise UserError(
                f"weight {name}: its largest magnitude {np.abs(weight[np.isfinite(weight)]).max():.4g} is beyond the "
                f"{float(limits.max):.6g} of {self.precision}; keep what reads it in fp32, or take another precision"
            )
        small = (weight != 0) & (np.abs(weight) < float(limits.smallest_normal))
        self.denormal += int(small.sum())
        self.lost += int((small & (rounded == 0)).sum())
        return rounded


def _formal(parameters: list[onnx.defs.OpSchema.FormalParameter], position: int) -> onnx.defs.OpSchema.FormalParameter:
    """What a schema says of a position; its last parameter may stand for any number (Concat's inputs)."""
    return parameters[min(position, len(parameters) - 1)]


def _allowed(schema: onnx.defs.OpSchema, parameter: onnx.defs.OpSchema.FormalParameter) -> set[int]:
    constraint = next((c for c in schema.type_constraints if c.type_param_str == parameter.type_str), None)
    names = constraint.allowed_type_strs if constraint else [parameter.type_str]
    return {elem_type for elem_type, name in _TENSORS.items() if name in names}


_TENSORS = {
    TensorProto.FLOAT: "tensor(float)",
    TensorProto.FLOAT16: "tensor(float16)",
    TensorProto.BFLOAT16: "tensor(bfloat16)",
}
