"""The loss of learning to match (Zhang et al., *Learning to Match Anchors for Visual Object Detection*, TPAMI 2021).

Each object has a bag of priors; which of them is its own is learned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.detection.boxes import iou_matrix
from models.detection.losses.focal import focal_loss
from models.detection.losses.mean_max import log_odds, negative_bag_loss, positive_bag_loss, safe_log
from models.detection.matching import Objects
from models.detection.one_stage import OneStage
from models.detection.priors import Priors


class Bags(NamedTuple):
    """One bag per object, of objects that have one: K of them, B places in each.

    Attributes:
        priors: [K, B] int64.
        members: [K, B] bool: which places are taken; one at least in each bag.
        boxes: [K, 4] px, of the objects.
        labels: [K] int64, of the objects.
    """

    priors: Tensor
    members: Tensor
    boxes: Tensor
    labels: Tensor


class BagLoss(ABC):
    """Eqs. 13 and 14: the bags' matching functions, and focal loss of what is in no bag.

    The paper writes for one class. Here each of the C classes is such a problem by itself, as its score is: bags, the
    objects of Eq. 5 and the background are those of one class.

    Args:
        bag_size: K, how many priors a bag has at most.
        beta: β, how much localisation weighs against classification.
        gamma: γ of the focal loss.
    """

    def __init__(self, bag_size: int, beta: float, gamma: float) -> None:
        self.bag_size, self.beta, self.gamma = int(bag_size), beta, gamma  # a recipe's numbers are all floats

    @abstractmethod
    def require_outputs(self, network: OneStage, outputs: Sequence[Tensor]) -> None:
        """Raise :class:`UserError` where the loss is not for such a network."""

    @abstractmethod
    def bags(self, priors: Priors, objects: Objects) -> Bags:
        """The bags of one image. Called without gradients."""

    @abstractmethod
    def localisation_loss(self, priors: Priors, regression: Tensor, boxes: Tensor, bags: Bags) -> Tensor:
        """[K, B] ≥ 0 of the bags' members. Of one image: its regression [A, 4], and the boxes [A, 4] it stands for."""

    def __call__(
        self, network: OneStage, outputs: Sequence[Tensor], objects: Sequence[Objects], height: int, width: int
    ) -> dict[str, Tensor]:
        """The terms of a batch of N images; their sum is the loss.

        Args:
            network: that gave the outputs.
            outputs: class logits [N, A, C] and regression [N, A, 4]. Half precision will do: the loss is float32.
            objects: of each image.
            height, width: of the images, px.

        Returns:
            Scalars. ``positive_bags`` and ``negative_bags``: −log M₊ and −log M₋, means over the objects of the batch.
            ``background``: the sum over what is in no bag, by the number of priors in bags (``bag_size`` at least).
        """
        self.require_outputs(network, outputs)
        logits, regression = (output.float() for output in outputs)
        priors = network.priors(height, width)
        boxes = network.decode(priors, regression)
        with torch.no_grad():
            bags = [self.bags(priors, image_objects) for image_objects in objects]

        positive = 0 * regression.sum()  # a gradient, of 0, for every weight: also where no image has an object
        negative, background = 0 * positive, 0 * positive
        for i, image_bags in enumerate(bags):
            terms = self._of_image(priors, logits[i], regression[i], boxes[i], image_bags, objects[i])
            positive, negative, background = positive + terms[0], negative + terms[1], background + terms[2]
        objects_count = max(sum(len(image_bags.labels) for image_bags in bags), 1)
        members_count = max(sum(int(image_bags.members.sum()) for image_bags in bags), self.bag_size)
        return {
            "positive_bags": positive / objects_count,
            "negative_bags": negative / objects_count,
            "background": background / members_count,
        }

    def _of_image(
        self, priors: Priors, logits: Tensor, regression: Tensor, boxes: Tensor, bags: Bags, objects: Objects
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the bags of ``−log M₊`` and ``−log M₋``, and over the background of the focal loss."""
        bag_logits = logits[bags.priors, bags.labels[:, None]]
        log_confidence = -self.beta * self.localisation_loss(priors, regression, boxes, bags)
        right = log_odds(bag_logits, log_confidence, safe_log(-torch.expm1(log_confidence)))  # Eq. 4
        overlap = _best_overlap(boxes.detach(), bags, objects)
        wrong = log_odds(bag_logits, safe_log(1 - overlap), safe_log(overlap))  # Eq. 5
        right, wrong = (odds.masked_fill(~bags.members, -torch.inf) for odds in (right, wrong))

        background = torch.ones_like(logits, dtype=torch.bool)
        background[bags.priors[bags.members], bags.labels[:, None].expand_as(bags.priors)[bags.members]] = False
        unmatched = logits[background]
        nothing = torch.zeros_like(unmatched, dtype=torch.bool)
        focal = focal_loss(unmatched, nothing, alpha=0, gamma=self.gamma).sum()
        return positive_bag_loss(right).sum(), negative_bag_loss(wrong).sum(), focal


def _best_overlap(boxes: Tensor, bags: Bags, objects: Objects) -> Tensor:
    """[K, B]: IoU of each member's box with the object of the bag's class that it overlaps most."""
    if len(bags.labels) == 0:
        return boxes.new_zeros(bags.priors.shape)
    overlap = iou_matrix(boxes[bags.priors.flatten()], objects.boxes).unflatten(0, bags.priors.shape)
    same_class = bags.labels[:, None] == objects.labels
    return (overlap * same_class[:, None]).amax(dim=2)
