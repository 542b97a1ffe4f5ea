"""Arithmetic on boxes, in torch: what training and the exported graph do with them.

A box is x1 y1 x2 y2 in pixels, continuous: one over a whole picture is 0 0 W H, and its area is W·H.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

VARIANCES = (0.1, 0.1, 0.2, 0.2)
"""What the deltas of centre x, centre y, width and height are divided by, so that all are of about the size of 1
(SSD, Liu et al. 2016; Faster R-CNN calls them standard deviations)."""

MAX_LOG_SCALE = math.log(1000 / 16)
"""A decoded box is at most exp of this times as wide and high as its anchor: no prediction overflows."""

_MIN_SIZE = 1e-3  # px: encoding takes a logarithm of an object's size
_EPS = 1e-9  # px²: an empty union divides nothing by something


def area(boxes: Tensor) -> Tensor:
    """[...] px² of [..., 4]; a box whose ends are swapped has none."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return size[..., 0] * size[..., 1]


def iou_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of one list with every box of another.

    Args:
        a: [A, 4].
        b: [B, 4].

    Returns:
        [A, B] in [0, 1]; 0 where neither box has an area.
    """
    intersection = _intersection(a[:, None], b[None])
    union = area(a)[:, None] + area(b)[None] - intersection
    return intersection / union.clamp(min=_EPS)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union of pairs (Rezatofighi et al., CVPR 2019): IoU less the share of the
    smallest box around both that neither covers.

    Args:
        a: [K, 4].
        b: [K, 4].

    Returns:
        [K] in [-1, 1]. Gradients are finite, for boxes without an area too.
    """
    intersection = _intersection(a, b)
    union = area(a) + area(b) - intersection
    hull = area(torch.cat([torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])], -1))
    return intersection / union.clamp(min=_EPS) - (hull - union) / hull.clamp(min=_EPS)


def encode(anchors: Tensor, boxes: Tensor, variances: tuple[float, float, float, float] = VARIANCES) -> Tensor:
    """The deltas that make each anchor its box (Girshick et al., R-CNN, appendix C; divided by the variances).

    Args:
        anchors: [..., 4], each with an area.
        boxes: [..., 4]; a side below 0.001 px counts as 0.001 px.
        variances: of centre x, centre y, width, height.

    Returns:
        [..., 4]: dx dy dw dh, without unit.
    """
    anchor_centre, anchor_size = _centre_size(anchors)
    centre, size = _centre_size(boxes)
    shift = (centre - anchor_centre) / anchor_size
    scale = (size.clamp(min=_MIN_SIZE) / anchor_size).log()
    return torch.cat([shift, scale], -1) / boxes.new_tensor(variances)


def decode(anchors: Tensor, deltas: Tensor, variances: tuple[float, float, float, float] = VARIANCES) -> Tensor:
    """The boxes that deltas make of their anchors: :func:`encode` undone.

    Args:
        anchors: [A, 4].
        deltas: [A, 4] or [N, A, 4]; a box grows no further than :data:`MAX_LOG_SCALE`.
        variances: those of the encoding.

    Returns:
        As ``deltas``; pixels, not clipped to the picture.
    """
    anchor_centre, anchor_size = _centre_size(anchors)
    deltas = deltas * anchors.new_tensor(variances)  # in the anchors' precision: half of it would be off by pixels
    centre = anchor_centre + deltas[..., :2] * anchor_size
    half = 0.5 * anchor_size * deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp()
    return torch.cat([centre - half, centre + half], -1)


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """[..., 4]: what of the boxes is inside a picture of this size."""
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack([x, y], -1).flatten(-2)


def _centre_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Both [..., 2], x before y."""
    return 0.5 * (boxes[..., :2] + boxes[..., 2:]), boxes[..., 2:] - boxes[..., :2]


def _intersection(a: Tensor, b: Tensor) -> Tensor:
    """Area of what two boxes share, over broadcast leading dimensions."""
    return area(torch.cat([torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])], -1))
