"""The floating-point operations of a graph, counted from the graph itself: two per weight and output.

Zeros at a border count as if they were multiplied. What is not matrix work (activations, sums, products of elements) is
not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from inference.openvino_backend import import_openvino, openvino_core

Shape = Sequence[int]


class Operation(NamedTuple):
    """One layer. ``kind``: what it is reported under; ``flops``: of one run, 0 where it does no matrix work."""

    kind: str
    flops: int


def convolution(given: Shape, weight: Shape, result: Shape) -> Operation:
    """Shapes as ONNX has them, [N, C, …] and [out, in, kernel …]. OpenVINO's grouped ones have one axis more."""
    flops = 2 * math.prod(weight) // result[1] * math.prod(result)
    return Operation(f"convolution {_kernel(given, weight)}, {given[1]} → {result[1]}", flops)


def transposed_convolution(given: Shape, weight: Shape, result: Shape) -> Operation:
    """Each input pixel meets every weight."""
    flops = 2 * math.prod(weight) * given[0] * math.prod(given[2:])
    return Operation(f"transposed convolution {_kernel(given, weight)}, {given[1]} → {result[1]}", flops)


def matrix_product(given: Shape, weight: Shape, result: Shape) -> Operation:
    """Of the last two axes, either of them transposed or not."""
    depth = math.prod(given[-2:]) // math.prod(result[-2:-1])
    return Operation(f"matrix product {depth} → {result[-1]}", 2 * depth * math.prod(result))


COUNTED = {
    **dict.fromkeys(("Convolution", "GroupConvolution", "Conv", "FusedConv"), convolution),
    **dict.fromkeys(
        ("ConvolutionBackpropData", "GroupConvolutionBackpropData", "ConvTranspose"), transposed_convolution
    ),
    **dict.fromkeys(("MatMul", "FusedMatMul", "Gemm"), matrix_product),
}
"""By the name of the operator, as OpenVINO and ONNX Runtime call it."""


def total(graph: Path) -> int:
    """Those of one run of ``graph`` (ONNX, or OpenVINO's .xml), together."""
    import_openvino()
    return sum(operation.flops for operation in operations(openvino_core().read_model(graph)).values())


def operations(model: Any) -> dict[str, Operation]:
    """The convolutions and matrix products of an ``openvino.Model`` by name. One with an open size is not counted."""
    return {
        op.get_friendly_name(): COUNTED[op.get_type_name()](
            op.input(0).get_shape(), op.input(1).get_shape(), op.output(0).get_shape()
        )
        for op in model.get_ops()
        if op.get_type_name() in COUNTED and op.get_output_partial_shape(0).is_static
    }


def _kernel(given: Shape, weight: Shape) -> str:
    return "×".join(map(str, weight[2 - len(given) :]))
