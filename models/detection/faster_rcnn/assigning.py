"""Which box is trained for which object in both stages, and which of them are trained at all in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from models.detection.boxes import iou_matrix
from models.detection.matching import IGNORED, NEGATIVE, Objects


def assign(
    boxes: Tensor, objects: Objects, *, positive_iou: float, negative_iou: float, best_too: bool = False
) -> Tensor:
    """The object of each box by overlap alone (Faster R-CNN, Sec. 3.1.2).

    Args:
        boxes: [A, 4].
        objects: of the same image.
        positive_iou: from here on a box is the object's that it overlaps most.
        negative_iou: below it is background; between both it is nothing.
        best_too: whether the boxes that overlap an object most are its own whatever the IoU, unless it is 0.

    Returns:
        [A] int64: index of the object, ``NEGATIVE`` or ``IGNORED``.
    """
    if not len(objects.boxes):
        return torch.full((len(boxes),), NEGATIVE, device=boxes.device)
    overlap = iou_matrix(boxes, objects.boxes)
    best, owner = overlap.max(dim=1)
    assigned = torch.where(best < negative_iou, NEGATIVE, torch.where(best < positive_iou, IGNORED, owner))
    if best_too:
        of_object = overlap.max(dim=0).values
        chosen = (overlap == of_object) & (of_object > 0)
        assigned = torch.where(chosen.any(dim=1), chosen.to(torch.uint8).argmax(dim=1), assigned)
    return assigned


def sample(assigned: Tensor, count: int, positive_share: float) -> tuple[Tensor, Tensor]:
    """Draw what is trained in this step, without the many negatives outweighing the rest.

    Args:
        assigned: [A], of :func:`assign`.
        count: how many to draw.
        positive_share: of them at most; what positives leave is filled with negatives.

    Returns:
        Indices of positives, and of negatives.
    """
    positives = _some((assigned >= 0).nonzero()[:, 0], int(count * positive_share))
    negatives = _some((assigned == NEGATIVE).nonzero()[:, 0], count - len(positives))
    return positives, negatives


def _some(indices: Tensor, count: int) -> Tensor:
    return indices[torch.randperm(len(indices), device=indices.device)[:count]]
