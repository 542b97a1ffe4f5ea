"""Learning to match points (LTM-AF; Zhang et al., TPAMI 2021, Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from errors import UserError
from models.detection.boxes import giou
from models.detection.losses.bags import BagLoss, Bags
from models.detection.losses.focal import GAMMA
from models.detection.matching import Objects
from models.detection.matching.fcos import side_distances
from models.detection.one_stage import AnchorDetector, OneStage
from models.detection.priors import Priors

TIE_BREAK = 1e-4  # a column of points is equally far in x: of those the nearest in y come first


class LTMAFLoss(BagLoss):
    """A bag holds the points inside the object of smallest normalised distance; the localisation loss is 1 − GIoU.

    No centre-ness: the score itself learns how well a point locates. An object that no point lies inside has no bag.

    Args:
        bag_size: K.
        beta: β.
        gamma: γ of the focal loss.
    """

    def __init__(self, bag_size: int = 40, beta: float = 5.5, gamma: float = GAMMA) -> None:
        super().__init__(bag_size, beta, gamma)

    def require_outputs(self, network: OneStage, outputs: Sequence[Tensor]) -> None:
        """See :class:`BagLoss`."""
        if isinstance(network, AnchorDetector):
            raise UserError("matching ltm_af is for detectors of points (fcos-…); for one with anchors take ltm")
        if len(outputs) > 2:
            raise UserError("matching ltm_af trains no centre-ness: make the network with centerness: false")

    def bags(self, priors: Priors, objects: Objects) -> Bags:
        """See :class:`BagLoss`."""
        distance = normalised_distance(priors, objects.boxes)
        nearest = distance.topk(min(self.bag_size, distance.shape[1]), dim=1, largest=False)
        members = nearest.values.isfinite()
        has_bag = members.any(dim=1)
        return Bags(nearest.indices[has_bag], members[has_bag], objects.boxes[has_bag], objects.labels[has_bag])

    def localisation_loss(self, priors: Priors, regression: Tensor, boxes: Tensor, bags: Bags) -> Tensor:
        """See :class:`BagLoss`."""
        return 1 - giou(boxes[bags.priors], bags.boxes[:, None].expand(*bags.priors.shape, 4))


def normalised_distance(priors: Priors, boxes: Tensor) -> Tensor:
    """[K, A]: ``max(|Δx| / (w·2^l), |Δy| / (h·2^l))`` from the centre of each box [K, 4] to each point.

    Infinite for points outside the box. 2^l is the point's stride: each level has as many points within a distance.
    """
    inside = side_distances(priors.points, boxes[:, None]).amin(dim=2) > 0
    centres = 0.5 * (boxes[:, None, :2] + boxes[:, None, 2:])
    sizes = (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1e-6)
    distances = (priors.points - centres).abs() / (sizes * priors.strides[:, None])
    distance = distances.amax(dim=2) + TIE_BREAK * distances.amin(dim=2)
    return torch.where(inside, distance, torch.inf)
