"""Which operators stay in float32 when a graph is lowered to float16 or bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import onnx

from errors import UserError
from export.precision.graph import WEIGHTED

Half = Literal["fp16", "bf16"]

SENSITIVE = frozenset(
    {
        # Sums of many terms, and what grows or shrinks by many orders of magnitude.
        *("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd", "CumSum"),
        *("ReduceLogSum", "ReduceLogSumExp", "Exp", "Log", "Pow", "Softmax", "LogSoftmax"),
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
        # Of two scores that rounding makes equal, the first would win; and coordinates of many pixels need the bits.
        *("ArgMax", "ArgMin", "TopK", "NonMaxSuppression", "RoiAlign", "GridSample"),
    }
)
"""Operators that stay in float32 by default. All cost little beside a convolution."""

EXACT = frozenset(
    {
        *("Identity", "Slice", "Pad", "Concat", "Split", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"),
        *("Expand", "Tile", "Gather", "GatherElements", "DepthToSpace", "SpaceToDepth", "MaxPool", "ReduceMax"),
        *("ReduceMin", "Max", "Min", "Relu", "Clip", "Abs", "Neg", "Floor", "Ceil", "Round", "Where"),
    }
)
"""Operators that move or choose values: no less exact in 16 bits, unless what they are given is in 32."""


NO_BF16 = frozenset({"ConvTranspose"})
"""Operators that TensorRT-RTX 1.7 cannot compute in bfloat16: "Could not infer output types", whatever their sizes."""


class KeepFp32(NamedTuple):
    """What stays in float32.

    ``operators``: by operator type. ``names``: by pattern (``network.head.*``, as the shell's) of the node, of one of
    its outputs or of its weights; a pattern that matches nothing is an error.

    Kept as well are, always, what comes before the first operator that sums products (the graph's own preparation of
    its input, which splits or normalises raw measurements), and what moves values from one kept operator to another.
    With bfloat16 also the last ones that sum products, and what follows: of its eight bits, two classes' scores are too
    often equal (SqueezeSegV3-21 on real scans: 99.78 % of the labels stay the same instead of 99.65 %).
    """

    names: tuple[str, ...] = ()
    operators: frozenset[str] = SENSITIVE


BY_OPERATOR = KeepFp32()
"""The default: nothing by name."""


def kept_nodes(graph: onnx.GraphProto, keep: KeepFp32, precision: Half) -> set[str]:
    """Names of the nodes that compute in float32 where the others do in ``precision``.

    Raises:
        UserError: a pattern of ``keep.names`` matches nothing.
    """
    kept = {node.name for node in graph.node if node.op_type in keep.operators}
    kept |= named(graph, keep) | _preparation(graph)
    if precision == "bf16":
        kept |= _conclusion(graph.node) | {node.name for node in graph.node if node.op_type in NO_BF16}
    return kept | _between(graph, kept)


def named(graph: onnx.GraphProto, keep: KeepFp32) -> set[str]:
    """Names of the nodes that ``keep.names`` matches.

    Raises:
        UserError: one of its patterns matches nothing.
    """
    weights = {tensor.name for tensor in graph.initializer}
    names = {node.name: [node.name, *node.output, *weights.intersection(node.input)] for node in graph.node}
    kept = set()
    for pattern in keep.names:
        matching = {node for node, of_node in names.items() if any(fnmatchcase(name, pattern) for name in of_node)}
        if not matching:
            raise UserError(f"{pattern!r} is to stay in fp32, but no node, output or weight of the graph has that name")
        kept |= matching
    return kept


def first_and_last(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes up to the first weighted operators on each path, and of those from the last ones on."""
    preparation = _preparation(graph)
    raw = {value.name for value in graph.input}
    raw |= {name for node in graph.node if node.name in preparation for name in node.output}
    first = {node.name for node in graph.node if node.op_type in WEIGHTED and node.input[0] in raw}
    return preparation | first | _conclusion(graph.node)


def _preparation(graph: onnx.GraphProto) -> set[str]:
    """Nodes that compute from the graph's inputs and that no result of a weighted operator has reached."""
    raw = {value.name for value in graph.input}
    computed: set[str] = set()
    names = set()
    for node in graph.node:
        if node.op_type in WEIGHTED or computed.intersection(node.input):
            computed.update(node.output)
        elif raw.intersection(node.input):
            raw.update(node.output)
            names.add(node.name)
    return names


def _conclusion(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Nodes whose results reach no weighted operator."""
    weighed: set[str] = set()
    names = set()
    for node in reversed(nodes):
        if not weighed.intersection(node.output):
            names.add(node.name)
        if node.op_type in WEIGHTED or weighed.intersection(node.output):
            weighed.update(node.input)
    return names


def _between(graph: onnx.GraphProto, kept: set[str]) -> set[str]:
    """Exact nodes that have float32 on both sides: lowered, they would round what float32 computes from again."""
    producers = {name: node.name for node in graph.node for name in node.output}
    consumers: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, set()).add(node.name)
    between = {node.name: node for node in graph.node if node.op_type in EXACT and node.name not in kept}
    while True:
        wide = kept | between.keys()
        gone = [
            name
            for name, node in between.items()
            if any(producers.get(value, name) not in wide for value in node.input)
            or any(not consumers.get(value, set()) <= wide for value in node.output)
        ]
        if not gone:
            return set(between)
        for name in gone:
            del between[name]
