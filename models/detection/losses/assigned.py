"""The loss of priors that a matching strategy has assigned to objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.detection.boxes import encode, giou
from models.detection.losses.balanced_l1 import balanced_l1
from models.detection.losses.focal import ALPHA, GAMMA, focal_loss
from models.detection.matching import IGNORED, Assignment, Objects
from models.detection.matching.by_name import make_strategy
from models.detection.matching.classify_to_localize import SIGMA
from models.detection.matching.fcos import centreness, side_distances
from models.detection.one_stage import AnchorDetector, OneStage
from models.detection.priors import Priors


class AssignedLoss:
    """Focal loss of what is assigned or background, and of the boxes of what is assigned.

    Anchors: Balanced L1 of the deltas (Mutual Guidance, Sec. 4.1). Points: 1 − GIoU of the boxes, and binary
    cross-entropy of the centre-ness where the network has it (FCOS, Sec. 3.2).

    Args:
        matching: of :data:`models.detection.matching.by_name.STRATEGIES`.
        alpha: α of the focal loss.
        gamma: γ of the focal loss.
        sigma: σ of Classify to Localize.
    """

    def __init__(self, matching: str, alpha: float = ALPHA, gamma: float = GAMMA, sigma: float = SIGMA) -> None:
        self.matching, self.alpha, self.gamma, self.sigma = matching, alpha, gamma, sigma

    def __call__(
        self, network: OneStage, outputs: Sequence[Tensor], objects: Sequence[Objects], height: int, width: int
    ) -> dict[str, Tensor]:
        """The terms of a batch of N images; their sum is the loss.

        Args:
            network: that gave the outputs.
            outputs: class logits [N, A, C], regression [N, A, 4] and, where the network has it, centre-ness [N, A]
                (logits). Half precision will do: the loss is float32.
            objects: of each image.
            height, width: of the images, px.

        Returns:
            Scalars ``classification``, ``localisation`` and perhaps ``centreness``: each the mean over the priors
            that are positive for it, in the whole batch. Without any: the sum.
        """
        logits, regression, *extra = (output.float() for output in outputs)
        priors = network.priors(height, width)
        of_points = not isinstance(network, AnchorDetector)
        boxes = network.decode(priors, regression)
        classes, truths, located = self._targets(priors, logits, boxes, objects, of_points)

        losses = {"classification": self._classification(logits, classes)}
        prior = located[1]
        if of_points:
            localisation = 1 - giou(boxes[located], truths)
        else:
            localisation = balanced_l1(regression[located], encode(priors.boxes[prior], truths))
        losses["localisation"] = localisation.sum() / max(len(truths), 1)
        if extra:
            target = centreness(side_distances(priors.points[prior], truths))
            error = F.binary_cross_entropy_with_logits(extra[0][located], target, reduction="sum")
            losses["centreness"] = error / max(len(truths), 1)
        return losses

    @torch.no_grad()
    def _targets(
        self, priors: Priors, logits: Tensor, boxes: Tensor, objects: Sequence[Objects], of_points: bool
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Class of each prior [N, A], below 0 as in the assignment; P true boxes [P, 4]; image and prior of each."""
        strategy = make_strategy(self.matching, sigma=self.sigma, of_points=of_points)
        assignments = [
            strategy(priors, scores, image_boxes, image_objects)
            for scores, image_boxes, image_objects in zip(logits.sigmoid(), boxes, objects, strict=True)
        ]
        owners = Assignment(*map(torch.stack, zip(*assignments, strict=True)))
        classes = torch.stack(list(map(_classes, objects, owners.classification)))
        truths = torch.cat([image.boxes[o[o >= 0]] for image, o in zip(objects, owners.localisation, strict=True)])
        return classes, truths, (owners.localisation >= 0).nonzero(as_tuple=True)

    def _classification(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Focal loss over all priors that are not ignored, per positive one."""
        truth = classes[..., None] == torch.arange(logits.shape[-1], device=logits.device)
        losses = focal_loss(logits, truth, self.alpha, self.gamma).sum(dim=-1)
        return losses[classes != IGNORED].sum() / (classes >= 0).sum().clamp(min=1)


def _classes(objects: Objects, owners: Tensor) -> Tensor:
    """[A] int64: the label of each prior's object; ``NEGATIVE`` and ``IGNORED`` as they are."""
    if len(objects.labels) == 0:
        return owners
    return torch.where(owners >= 0, objects.labels[owners.clamp(min=0)], owners)
