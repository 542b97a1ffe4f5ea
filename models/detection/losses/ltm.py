"""Learning to match anchors (LTM; Zhang et al., TPAMI 2021, Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from errors import UserError
from models.detection.boxes import encode, iou_matrix
from models.detection.losses.bags import BagLoss, Bags
from models.detection.losses.focal import GAMMA
from models.detection.matching import Objects
from models.detection.one_stage import AnchorDetector, OneStage
from models.detection.priors import Priors


class LTMLoss(BagLoss):
    """A bag holds the anchors of highest IoU, however low; the localisation loss is smooth L1 of the deltas.

    The paper trains with a prior probability of 0.02 per class (the network's argument).

    Args:
        bag_size: K.
        beta: β.
        gamma: γ of the focal loss.
    """

    def __init__(self, bag_size: int = 40, beta: float = 0.5, gamma: float = GAMMA) -> None:
        super().__init__(bag_size, beta, gamma)

    def require_outputs(self, network: OneStage, outputs: Sequence[Tensor]) -> None:
        """See :class:`BagLoss`."""
        if not isinstance(network, AnchorDetector):
            raise UserError("matching ltm is for detectors with anchors; for one of points (fcos-…) take ltm_af")

    def bags(self, priors: Priors, objects: Objects) -> Bags:
        """See :class:`BagLoss`."""
        iou = iou_matrix(objects.boxes, priors.boxes)
        best = iou.topk(min(self.bag_size, len(priors.boxes)), dim=1).indices
        return Bags(best, torch.ones_like(best, dtype=torch.bool), *objects)

    def localisation_loss(self, priors: Priors, regression: Tensor, boxes: Tensor, bags: Bags) -> Tensor:
        """See :class:`BagLoss`. The sum over the four deltas, as Fast R-CNN defines it."""
        deltas = encode(priors.boxes[bags.priors], bags.boxes[:, None])
        return F.smooth_l1_loss(regression[bags.priors], deltas, reduction="none").sum(dim=-1)
