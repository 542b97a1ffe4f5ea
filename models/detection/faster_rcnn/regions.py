"""Regions of interest: at which level of the pyramid each is looked at, its features there, and which are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.detection.boxes import area, encode
from models.detection.faster_rcnn.assigning import assign, sample
from models.detection.faster_rcnn.proposals import Proposals
from models.detection.matching import Objects
from models.detection.onnx_operators import roi_align

STRIDES = (4, 8, 16, 32)
"""In pixels, of the levels that regions are looked at on: P2 to P5."""

ROI_SIZE = 14
"""Cells on each side of a region's features."""

CANONICAL_SIZE = 224
"""A region of this side, px, is looked at on P4: ImageNet's picture (Lin et al., CVPR 2017, Eq. 1)."""

_CANONICAL_LEVEL = 2  # P4


class TrainedRegions(NamedTuple):
    """The R regions of a batch that are trained in a step.

    Attributes:
        boxes: [R, 4] px.
        images: [R] int64, which image each is in.
        labels: [R] int64: class of its object; C: background.
        deltas: [R, 4], to its object; 0 where there is none.
    """

    boxes: Tensor
    images: Tensor
    labels: Tensor
    deltas: Tensor


def level_of(boxes: Tensor, canonical_size: float = CANONICAL_SIZE) -> Tensor:
    """Which of :data:`STRIDES` a region is looked at on: ⌊2 + log₂(√area / canonical size)⌋, or the nearest there is.

    The intertwiner's Eq. 4 has lost the root and the logarithm's base.

    Args:
        boxes: [..., 4] px.
        canonical_size: px; a smaller one puts more regions on coarser levels.

    Returns:
        [...] int64.
    """
    octaves = torch.log2(area(boxes).sqrt().clamp(min=1e-3) / canonical_size)
    return (_CANONICAL_LEVEL + octaves).floor().clamp(0, len(STRIDES) - 1).long()


def pool(levels: Sequence[Tensor], boxes: Tensor, images: Tensor, level: Tensor) -> Tensor:
    """The features of regions, each from its own level.

    Args:
        levels: [N, C, H_l, W_l] of each of :data:`STRIDES`.
        boxes: [R, 4] px.
        images: [R] int64.
        level: [R] int64.

    Returns:
        [R, C, ROI_SIZE, ROI_SIZE].
    """
    if torch.compiler.is_exporting():  # a graph of fixed sizes reads every region from every level, and chooses
        pooled = _pool_one(levels, 0, boxes, images)
        for index in range(1, len(STRIDES)):
            own = (level == index)[:, None, None, None]
            pooled = torch.where(own, _pool_one(levels, index, boxes, images), pooled)
        return pooled
    pooled = levels[0].new_zeros(len(boxes), levels[0].shape[1], ROI_SIZE, ROI_SIZE)
    for index in range(len(STRIDES)):
        own = (level == index).nonzero()[:, 0]
        pooled = pooled.index_copy(0, own, _pool_one(levels, index, boxes[own], images[own]))
    return pooled


def _pool_one(levels: Sequence[Tensor], index: int, boxes: Tensor, images: Tensor) -> Tensor:
    return roi_align(levels[index], boxes, images, size=ROI_SIZE, scale=1 / STRIDES[index])


def sample_regions(
    proposals: Proposals, objects: Sequence[Objects], *, classes: int, per_image: int, positive_share: float = 0.25
) -> TrainedRegions:
    """Draw the regions that the second stage is trained on, from the proposals and the objects' own boxes.

    A region is an object's from an IoU of 0.5 on, and background below (Fast R-CNN, Sec. 2.3).

    Args:
        classes: C.
        per_image: how many to draw.
        positive_share: of them at most.
    """
    parts = []
    for image, (proposed, valid, image_objects) in enumerate(zip(*proposals, objects, strict=True)):
        boxes = torch.cat([proposed[valid], image_objects.boxes])
        assigned = assign(boxes, image_objects, positive_iou=0.5, negative_iou=0.5)
        positives, negatives = sample(assigned, per_image, positive_share)
        owners = assigned[positives]
        labels = assigned.new_full((len(positives) + len(negatives),), classes)
        labels[: len(positives)] = image_objects.labels[owners]
        deltas = boxes.new_zeros(len(labels), 4)
        deltas[: len(positives)] = encode(boxes[positives], image_objects.boxes[owners])
        parts.append((boxes[torch.cat([positives, negatives])], torch.full_like(labels, image), labels, deltas))
    return TrainedRegions(*(torch.cat(column) for column in zip(*parts, strict=True)))
