"""The first stage: a region proposal network over a pyramid, its proposals and its losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.boxes import clip, decode, encode
from models.detection.faster_rcnn.assigning import assign, sample
from models.detection.heads import flatten_levels
from models.detection.matching import Objects
from models.detection.onnx_operators import non_maximum_suppression
from models.detection.priors import Anchors, Priors

NMS_IOU = 0.7
_ANCHORS_PER_IMAGE = 256  # trained in a step; Faster R-CNN, Sec. 3.1.3
_NO_PROPOSAL = -1.0  # where a score would be


class Proposals(NamedTuple):
    """K regions of each image, best first.

    Attributes:
        boxes: [N, K, 4] px of the input, inside it.
        valid: [N, K] bool; false for what fills up the K where fewer were found.
    """

    boxes: Tensor
    valid: Tensor


class RegionProposals(nn.Module):
    """How likely there is any object at each anchor, and its box.

    Args:
        channels: of the levels.
        anchors: shapes in every cell.
    """

    def __init__(self, channels: int, anchors: Anchors) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        self.objectness = nn.Conv2d(channels, anchors.per_cell, 1)
        self.deltas = nn.Conv2d(channels, anchors.per_cell * 4, 1)
        for layer in (self.shared[0], self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Levels [N, channels, H_l, W_l] → logits [N, A] and deltas [N, A, 4], in the order of the priors."""
        shared = [self.shared(x) for x in levels]
        logits = flatten_levels([self.objectness(x) for x in shared], 1)[..., 0]
        return logits.float(), flatten_levels([self.deltas(x) for x in shared], 4).float()


def propose(
    logits: Tensor, deltas: Tensor, priors: Priors, height: int, width: int, *, before_nms: int, count: int
) -> Proposals:
    """The best regions: of each level the best ``before_nms``, thinned by NMS, and of all levels the best ``count``.

    No gradient flows through it. A region narrower or lower than a pixel is none.

    Args:
        logits, deltas: of :class:`RegionProposals`.
        height, width: of the input, px.
    """
    scores = logits.detach().sigmoid()
    kept_boxes, kept_scores = [], []
    per_level = zip(
        scores.split(priors.levels, 1),
        deltas.detach().split(priors.levels, 1),
        priors.boxes.split(priors.levels),
        strict=True,
    )
    for level_scores, level_deltas, anchors in per_level:
        best, index = level_scores.topk(min(before_nms, len(anchors)))
        boxes = decode(anchors[index], level_deltas.gather(1, index[..., None].expand(-1, -1, 4)))
        boxes = clip(boxes, height, width)
        best = best.masked_fill((boxes[..., 2:] - boxes[..., :2] < 1).any(-1), _NO_PROPOSAL)
        stays = non_maximum_suppression(boxes, best[:, None], iou_threshold=NMS_IOU, most=count)[:, 0]
        kept_boxes.append(boxes)
        kept_scores.append(best.masked_fill(~stays, _NO_PROPOSAL))
    all_boxes, all_scores = torch.cat(kept_boxes, 1), torch.cat(kept_scores, 1)
    best, index = all_scores.topk(min(count, all_scores.shape[1]))
    valid = best > _NO_PROPOSAL
    boxes = all_boxes.gather(1, index[..., None].expand(-1, -1, 4))
    return Proposals(boxes * valid[..., None], valid)


def proposal_losses(logits: Tensor, deltas: Tensor, priors: Priors, objects: Sequence[Objects]) -> dict[str, Tensor]:
    """Faster R-CNN's Eq. 1: of 256 anchors of each image, at most half of them positive, the mean cross-entropy of
    objectness, and the smooth L1 of the positives' deltas over the same number.

    Args:
        logits, deltas: of :class:`RegionProposals`.
        objects: of each of the N images.
    """
    objectness = logits.new_zeros(())
    localisation = deltas.sum() * 0
    trained = 0
    for image_logits, image_deltas, image_objects in zip(logits, deltas, objects, strict=True):
        assigned = assign(priors.boxes, image_objects, positive_iou=0.7, negative_iou=0.3, best_too=True)
        positives, negatives = sample(assigned, _ANCHORS_PER_IMAGE, 0.5)
        drawn = torch.cat([positives, negatives])
        target = (assigned[drawn] >= 0).to(logits.dtype)
        objectness = objectness + F.binary_cross_entropy_with_logits(image_logits[drawn], target, reduction="sum")
        wanted = encode(priors.boxes[positives], image_objects.boxes[assigned[positives]])
        localisation = localisation + F.smooth_l1_loss(image_deltas[positives], wanted, reduction="sum")
        trained += len(drawn)
    return {"rpn_objectness": objectness / max(trained, 1), "rpn_boxes": localisation / max(trained, 1)}
