"""Matching by the overlap of anchor and object alone (Faster R-CNN; RetinaNet's thresholds)."""

from __future__ import annotations

from torch import Tensor

from models.detection.boxes import iou_matrix
from models.detection.matching import Assignment, Objects
from models.detection.matching.ranking import Reference, best_of_each
from models.detection.priors import Priors

POSITIVE_IOU = 0.5  # above it an anchor is right for the object
NEGATIVE_IOU = 0.4  # up to it an anchor is background


def iou_reference(priors: Priors, objects: Objects) -> Reference:
    """Quality is IoU_anchor; N_p anchors are above 0.5, N_i in (0.4, 0.5] (Mutual Guidance, Sec. 3).

    An object without an anchor above 0.5 has N_p = 1, its best; that one is not counted in N_i too.
    """
    quality = iou_matrix(objects.boxes, priors.boxes)
    positives = (quality > POSITIVE_IOU).sum(dim=1).clamp(min=1)
    ignored = ((quality > NEGATIVE_IOU).sum(dim=1) - positives).clamp(min=0)
    return Reference(quality, positives, ignored, best_of_each(quality, positives, ignored))


def iou(priors: Priors, scores: Tensor, boxes: Tensor, objects: Objects) -> Assignment:
    """Positive above 0.5, ignored in (0.4, 0.5], negative else, but one positive at least per object.

    ``scores`` and ``boxes`` are not looked at.
    """
    owners = iou_reference(priors, objects).owners
    return Assignment(owners, owners)
