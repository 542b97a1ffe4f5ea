"""How the operators of :mod:`models.detection.onnx_operators` are written in an ONNX graph: what torch's exporter asks
for as ``custom_translation_table``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx
import torch
from onnxscript import ir
from onnxscript import opset18 as op  # no later opset changes any of these operators

import models.detection.onnx_operators  # noqa: F401 (registers torch.ops.rangecast)

Translations = Mapping[Callable[..., object], Callable[..., object]]
"""An operator of torch → what writes it with those of ONNX."""


def _roi_align(
    features: ir.Value, rois: ir.Value, images: ir.Value, size: int, scale: float, samples: int, half_pixel: bool
) -> ir.Value:
    return op.RoiAlign(
        features,
        rois,
        images,
        coordinate_transformation_mode="half_pixel" if half_pixel else "output_half_pixel",
        output_height=size,
        output_width=size,
        sampling_ratio=samples,
        spatial_scale=scale,
    )


def _non_maximum_suppression(
    boxes: ir.Value, scores: ir.Value, iou_threshold: float, most: int, score_threshold: float
) -> ir.Value:
    """The operator lists what stays, as many rows as that are; the network goes on with a mask, whose size is known."""
    selected = op.NonMaxSuppression(
        boxes,
        scores,
        op.Constant(value=onnx.helper.make_tensor("most", onnx.TensorProto.INT64, [1], [most])),
        op.Constant(value=onnx.helper.make_tensor("iou", onnx.TensorProto.FLOAT, [1], [iou_threshold])),
        op.Constant(value=onnx.helper.make_tensor("score", onnx.TensorProto.FLOAT, [1], [score_threshold])),
    )
    one = onnx.helper.make_tensor("one", onnx.TensorProto.FLOAT, [1], [1.0])
    marks = op.ConstantOfShape(op.Shape(selected, start=0, end=1), value=one)
    none = op.ConstantOfShape(op.Shape(scores))  # of zeros
    return op.Greater(op.ScatterND(none, selected, marks), op.Constant(value_float=0.0))


TRANSLATIONS: Translations = {
    torch.ops.rangecast.roi_align.default: _roi_align,
    torch.ops.rangecast.non_maximum_suppression.default: _non_maximum_suppression,
}
