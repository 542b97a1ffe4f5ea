"""The operators of :mod:`models.detection.onnx_operators` made of simpler ones, for a library that has them not.

TensorRT-RTX computes neither ``RoiAlign`` nor ``NonMaxSuppression``. What is written here is equal to them: the same
points are read, and suppression ends where another round would change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
import torch
from onnxscript import opset18 as op

import models.detection.onnx_operators  # noqa: F401 (registers torch.ops.rangecast)
from export.onnx_operators import Translations

IN_FP32 = "plain_*"
"""Names of the nodes that are made here, which stay in float32 as the operators would: areas are beyond float16."""

_numbers = itertools.count()


def _roi_align(
    features: ir.Value, rois: ir.Value, images: ir.Value, size: int, scale: float, samples: int, half_pixel: bool
) -> ir.Value:
    """Every point by GridSample, cells by AveragePool; ``images`` is not looked at: there is but one picture."""
    count, channels, height, width = features.shape
    assert count == 1
    edges = op.Mul(rois, _floats(scale))
    if half_pixel:
        edges = op.Sub(edges, _floats(0.5))
    x1, y1, x2, y2 = (op.Slice(edges, _ints(i), _ints(i + 1), _ints(1)) for i in range(4))
    points = size * samples
    x, x_inside = _points(x1, x2, points, width, half_pixel)
    y, y_inside = _points(y1, y2, points, height, half_pixel)
    sides = [
        op.Expand(op.Unsqueeze(each, _ints(axis, 3)), _ints(1, points, points, 1)) for each, axis in ((x, 1), (y, 2))
    ]
    grid = op.Concat(*sides, axis=3)
    # All regions below each other, as one grid on the one picture: [1, R·P, P, 2].
    read = op.GridSample(
        features, op.Reshape(grid, _ints(1, -1, points, 2)), align_corners=1, mode="bilinear", padding_mode="border"
    )
    inside = op.Mul(op.Unsqueeze(x_inside, _ints(1)), op.Unsqueeze(y_inside, _ints(2)))
    read = op.Mul(read, op.Reshape(inside, _ints(1, 1, -1, points)))
    pooled = op.AveragePool(read, kernel_shape=[samples, samples], strides=[samples, samples])
    return _named(op.Transpose(op.Reshape(pooled, _ints(channels, -1, size, size)), perm=[1, 0, 2, 3]), features, rois)


def _points(first: ir.Value, last: ir.Value, count: int, length: int, half_pixel: bool) -> tuple[ir.Value, ir.Value]:
    """Where along one axis the points of each region lie, [R, count], −1..1 from the first cell's centre to the last's;
    and 1 where that is no more than a cell outside the map, else 0."""
    extent = op.Sub(last, first)
    if not half_pixel:
        extent = op.Max(extent, _floats(1.0))
    steps = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(count)
    at = op.Add(first, op.Mul(extent, _floats(*steps)))
    inside = op.And(op.GreaterOrEqual(at, _floats(-1.0)), op.LessOrEqual(at, _floats(float(length))))
    clamped = op.Min(op.Max(at, _floats(0.0)), _floats(length - 1.0))
    return op.Sub(op.Mul(clamped, _floats(2.0 / max(length - 1, 1))), _floats(1.0)), op.Cast(inside, to=1)


def _non_maximum_suppression(
    boxes: ir.Value, scores: ir.Value, iou_threshold: float, most: int, score_threshold: float
) -> ir.Value:
    """Best first, who removes whom as a matrix; "stays who is removed by nobody that stays" until nothing changes."""
    count, classes, boxes_count = scores.shape
    ranked, order = op.TopK(scores, _ints(boxes_count), axis=2)
    places = op.Expand(op.Unsqueeze(order, _ints(3)), _ints(count, classes, boxes_count, 4))
    of_classes = op.Expand(op.Unsqueeze(boxes, _ints(1)), _ints(count, classes, boxes_count, 4))
    overlap = _iou(op.GatherElements(of_classes, places, axis=2))
    looked_at = op.Cast(op.Greater(ranked, _floats(score_threshold)), to=1)
    removes = op.Trilu(op.Cast(op.Greater(overlap, _floats(iou_threshold)), to=1), _constant(np.int64(1)), upper=1)
    row = op.Unsqueeze(looked_at, _ints(2))
    rounds, begin = _constant(np.int64(boxes_count)), _constant(np.bool_(True))
    stays = op.Loop(rounds, begin, row, body=_round(removes, row, (count, classes, 1, boxes_count)))
    _with_inputs(stays.producer(), rounds, begin, row)
    number = op.CumSum(stays, _constant(np.int64(3)))
    stays = op.Mul(stays, op.Cast(op.LessOrEqual(number, _floats(float(most))), to=1))
    none = _constant(np.zeros((count, classes, boxes_count), np.float32))
    kept = op.ScatterElements(none, order, op.Squeeze(stays, _ints(2)), axis=2)
    return _named(op.Greater(kept, _floats(0.5)), boxes, scores)


def _round(removes: ir.Value, looked_at: ir.Value, shape: Sequence[int]) -> ir.Graph:
    """A loop's body: whose removers are all removed stays; goes on while that changes anything."""
    number, last, stays = (
        ir.Value(name=name, shape=ir.Shape(size), type=ir.TensorType(kind))
        for name, size, kind in (
            ("round", (), ir.DataType.INT64),
            ("go_on", (), ir.DataType.BOOL),
            ("stays", shape, ir.DataType.FLOAT),
        )
    )
    half = ir.node("Constant", [], attributes={"value": ir.tensor(np.float32(0.5))})
    removers = ir.node("MatMul", [stays, removes])
    free = ir.node("Less", [removers.outputs[0], half.outputs[0]])
    free_as_number = ir.node("Cast", [free.outputs[0]], attributes={"to": 1})
    now = ir.node("Mul", [free_as_number.outputs[0], looked_at])
    change = ir.node("Sub", [now.outputs[0], stays])
    size = ir.node("Abs", [change.outputs[0]])
    largest = ir.node("ReduceMax", [size.outputs[0]], attributes={"keepdims": 0})
    changes = ir.node("Greater", [largest.outputs[0], half.outputs[0]])
    nodes = [half, removers, free, free_as_number, now, change, size, largest, changes]
    for i, each in enumerate(nodes):
        each.outputs[0].name = f"round_{i}"
    for value, like in ((changes.outputs[0], last), (now.outputs[0], stays)):
        value.shape, value.type = like.shape, like.type
    return ir.Graph([number, last, stays], [changes.outputs[0], now.outputs[0]], nodes=nodes, name="suppression")


def _with_inputs(node: ir.Node, *inputs: ir.Value) -> None:
    """What records the nodes (torch 2.13) gives an operator with a variadic input all inputs twice."""
    node.resize_inputs(len(inputs))
    for i, value in enumerate(inputs):
        node.replace_input_with(i, value)


def _iou(boxes: ir.Value) -> ir.Value:
    """[..., A, 4] → [..., A, A]."""
    x1, y1, x2, y2 = (op.Slice(boxes, _ints(i), _ints(i + 1), _ints(3)) for i in range(4))
    sides = []
    for first, last in ((x1, x2), (y1, y2)):
        turned = (op.Transpose(each, perm=[0, 1, 3, 2]) for each in (first, last))
        low, high = next(turned), next(turned)
        sides.append(op.Max(op.Sub(op.Min(last, high), op.Max(first, low)), _floats(0.0)))
    shared = op.Mul(*sides)
    area = op.Mul(op.Sub(x2, x1), op.Sub(y2, y1))
    union = op.Sub(op.Add(area, op.Transpose(area, perm=[0, 1, 3, 2])), shared)
    return op.Div(shared, op.Max(union, _floats(1e-12)))


def _named(result: ir.Value, *given: ir.Value) -> ir.Value:
    """``result``, all nodes between it and what was given being called as :data:`IN_FP32` has it."""
    todo, done = [result], set(given)
    while todo:
        value = todo.pop()
        node = value.producer()
        if value in done or node is None:
            continue
        done.add(value)
        node.name = IN_FP32.replace("*", f"{node.op_type}_{next(_numbers)}")
        bodies = [each.as_graph() for each in node.attributes.values() if each.type == ir.AttributeType.GRAPH]
        nodes = [node, *(inner for body in bodies for inner in body)]
        todo += [each for one in nodes for each in one.inputs if each is not None]
    return result


def _constant(value: np.ndarray | np.generic) -> ir.Value:
    return op.Constant(value=ir.tensor(np.asarray(value)))


def _ints(*values: int) -> ir.Value:
    return _constant(np.array(values, np.int64))


def _floats(*values: float) -> ir.Value:
    return _constant(np.array(values, np.float32))


TRANSLATIONS: Translations = {
    torch.ops.rangecast.roi_align.default: _roi_align,
    torch.ops.rangecast.non_maximum_suppression.default: _non_maximum_suppression,
}
