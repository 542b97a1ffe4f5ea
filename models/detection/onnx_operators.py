"""Two operators that ONNX has and torch has not: ``RoiAlign`` and ``NonMaxSuppression``.

Called plainly they are torch, on any device, and :func:`roi_align` can be trained through. While a network is exported
each is one operator (``rangecast::…``), which ``export.onnx_operators`` turns into ONNX's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.detection.boxes import iou_matrix


def roi_align(
    features: Tensor,
    rois: Tensor,
    images: Tensor,
    *,
    size: int,
    scale: float,
    samples: int = 2,
    half_pixel: bool = True,
) -> Tensor:
    """The features in regions, resampled to one size (He et al., *Mask R-CNN*, ICCV 2017, Sec. 3).

    Each of size × size cells is the mean of samples × samples points, each read bilinearly. A point up to one cell
    outside the map reads its edge; further out it is 0.

    Args:
        features: [N, C, H, W].
        rois: [R, 4] px of the network's input. No gradient flows into them.
        images: [R] int64, which of the N each region is in.
        size: S, cells on each side of what comes out.
        scale: cells of the map per pixel: 1 / stride.
        samples: per cell and side (ONNX: ``sampling_ratio``).
        half_pixel: the value of a cell is at its centre. Otherwise at its upper left corner, and a region is at least
            one cell wide and high (ONNX: ``output_half_pixel``, the first version of RoIAlign).

    Returns:
        [R, C, S, S].
    """
    align = torch.ops.rangecast.roi_align if torch.compiler.is_exporting() else _roi_align
    return align(features, rois, images, size, scale, samples, half_pixel)


def non_maximum_suppression(
    boxes: Tensor, scores: Tensor, *, iou_threshold: float, most: int, score_threshold: float = 0.0
) -> Tensor:
    """Which boxes stay of each class: of two that overlap by an IoU above the threshold, the one that scores more.

    Args:
        boxes: [N, A, 4].
        scores: [N, C, A]; of equal ones the first goes before.
        iou_threshold: 0..1.
        most: how many stay at most, of each class of each image.
        score_threshold: what does not score more is not looked at.

    Returns:
        [N, C, A] bool.
    """
    suppress = torch.ops.rangecast.non_maximum_suppression if torch.compiler.is_exporting() else _nms
    return suppress(boxes, scores, iou_threshold, most, score_threshold)


def _roi_align(
    features: Tensor, rois: Tensor, images: Tensor, size: int, scale: float, samples: int, half_pixel: bool
) -> Tensor:
    # A cell is a sum of rows of the map, which is a table of H·W·N rows, with weights: an embedding bag.
    count, channels, height, width = features.shape
    edges = rois.detach().float() * scale - (0.5 if half_pixel else 0.0)
    extent = edges[:, 2:] - edges[:, :2]
    if not half_pixel:
        extent = extent.clamp(min=1)
    steps = (torch.arange(size * samples, device=rois.device) + 0.5) / (size * samples)
    columns, x_weights = _taps(edges[:, :1] + extent[:, :1] * steps, width)
    rows, y_weights = _taps(edges[:, 1:2] + extent[:, 1:] * steps, height)
    rows = rows + height * images[:, None, None]
    cells = (len(rois), size, size, 2 * samples, 2 * samples)
    index = rows.view(-1, size, 1, 2 * samples, 1) * width + columns.view(-1, 1, size, 1, 2 * samples)
    weights = y_weights.view(-1, size, 1, 2 * samples, 1) * x_weights.view(-1, 1, size, 1, 2 * samples) / samples**2
    pooled = F.embedding_bag(
        index.expand(cells).flatten(3).flatten(0, 2),
        features.permute(0, 2, 3, 1).reshape(count * height * width, channels),
        mode="sum",
        per_sample_weights=weights.flatten(3).flatten(0, 2).to(features.dtype),
    )
    return pooled.view(len(rois), size, size, channels).permute(0, 3, 1, 2)


def _taps(at: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The two cells that each point along one axis is read from, and their weights: [R, points, 2] both."""
    inside = (at >= -1) & (at <= length)
    at = at.clamp(0, length - 1)
    below = at.floor()
    above = (below + 1).clamp(max=length - 1)
    share = at - below
    weights = torch.stack([1 - share, share], -1) * inside[..., None]
    return torch.stack([below, above], -1).long(), weights


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int, score_threshold: float) -> Tensor:
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for of_image, image_boxes, image_scores in zip(kept, boxes, scores, strict=True):
        for of_class, class_scores in zip(of_image, image_scores, strict=True):
            order = class_scores.argsort(descending=True, stable=True)
            order = order[class_scores[order] > score_threshold]
            overlaps = (iou_matrix(image_boxes[order], image_boxes[order]) > iou_threshold).triu(1)
            of_class[order[_survivors(overlaps)][:most]] = True
    return kept


def _survivors(overlaps: Tensor) -> Tensor:
    """[A] bool, who stays where ``overlaps[i, j]`` says that i, if it stays, removes j > i.

    "Stays who is removed by nobody that stays" has one solution, the greedy one. Repeating it settles at least one
    more of the first in each round, and mostly all within a few.
    """
    stays = overlaps.new_ones(len(overlaps))
    while not torch.equal(stays, now := ~(overlaps & stays[:, None]).any(0)):
        stays = now
    return stays


@torch.library.custom_op("rangecast::roi_align", mutates_args=())
def _roi_align_operator(
    features: Tensor, rois: Tensor, images: Tensor, size: int, scale: float, samples: int, half_pixel: bool
) -> Tensor:
    return _roi_align(features, rois, images, size, scale, samples, half_pixel).contiguous()


@_roi_align_operator.register_fake
def _(
    features: Tensor, rois: Tensor, images: Tensor, size: int, scale: float, samples: int, half_pixel: bool
) -> Tensor:
    return features.new_empty(rois.shape[0], features.shape[1], size, size)


@torch.library.custom_op("rangecast::non_maximum_suppression", mutates_args=())
def _nms_operator(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int, score_threshold: float) -> Tensor:
    return _nms(boxes, scores, iou_threshold, most, score_threshold)


@_nms_operator.register_fake
def _(boxes: Tensor, scores: Tensor, iou_threshold: float, most: int, score_threshold: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)
