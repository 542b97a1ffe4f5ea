"""Which operators stay in float32 when a graph is lowered to float16 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

import onnx

from errors import UserError
from export.precision.graph import WEIGHTED

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


class KeepFp32(NamedTuple):
    """What stays in float32.

    ``operators``: by operator type. ``names``: by pattern (``network.head.*``, as the shell's) of the node, of one of
    its outputs or of its weights; a pattern that matches nothing is an error.

    Kept as well are, always, what comes before the first operator that sums products (the graph's own preparation of
    its input, which splits or normalises raw measurements), and what moves values from one kept operator to another.
    """

    names: tuple[str, ...] = ()
    operators: frozenset[str] = SENSITIVE


BY_OPERATOR = KeepFp32()
"""The default: nothing by name."""


def kept_nodes(graph: onnx.GraphProto, keep: KeepFp32) -> set[str]:
    """Names of the nodes that compute in float32.

    Raises:
        UserError: a pattern of ``keep.names`` matches nothing.
    """
    kept = {node.name for node in graph.node if node.op_type in keep.operators}
    for pattern in keep.names:
        matching = {
            node.name
            for node in graph.node
            if any(fnmatchcase(name, pattern) for name in (node.name, *node.output, *_weights(graph, node)))
        }
        if not matching:
            raise UserError(f"{pattern!r} is to stay in fp32, but no node, output or weight of the graph has that name")
        kept |= matching
    return kept | _preparation(graph.node) | _between(graph, kept)


def _weights(graph: onnx.GraphProto, node: onnx.NodeProto) -> Iterable[str]:
    stored = {tensor.name for tensor in graph.initializer}
    return (name for name in node.input if name in stored)


def _preparation(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Nodes that no result of a weighted operator has reached."""
    computed: set[str] = set()
    names = set()
    for node in nodes:
        if node.op_type in WEIGHTED or computed.intersection(node.input):
            computed.update(node.output)
        else:
            names.add(node.name)
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
