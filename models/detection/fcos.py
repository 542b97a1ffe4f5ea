"""FCOS (Tian et al., *Fully Convolutional One-Stage Object Detection*, ICCV 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from models.detection.backbones import make_backbone
from models.detection.heads.fcos import FCOSHead
from models.detection.necks.fpn import FPN
from models.detection.one_stage import OneStage
from models.detection.priors import POINT_ANCHORS, Priors


class FCOS(OneStage):
    """FPN, its coarser levels made from P5, and two shared towers that predict at points instead of anchors.

    Args:
        classes: C.
        backbone: of :data:`models.detection.backbones.BACKBONES`.
        channels: of the pyramid and of the towers.
        depth: convolutions in each tower.
        norm: in the towers: ``none``, ``batch`` or ``group``.
        levels: of the pyramid, 3 to 5, from stride 8.
        centerness: whether a third output says how central a point is in its object.
        prior_probability: of every class at every point, before training.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "resnet50",
        *,
        channels: int = 256,
        depth: int = 4,
        norm: str = "group",
        levels: int = 5,
        centerness: bool = True,
        prior_probability: float = 0.01,
    ) -> None:
        body = make_backbone(backbone)
        neck = FPN(body.channels[-3:], channels, coarser=levels - 3, coarser_from="output")
        head = FCOSHead(classes, levels, channels, depth, norm, centerness, prior_probability)
        super().__init__(body, neck, head, POINT_ANCHORS, levels)
        self.arguments = {
            "classes": classes,
            "backbone": backbone,
            "channels": channels,
            "depth": depth,
            "norm": norm,
            "levels": levels,
            "centerness": centerness,
            "prior_probability": prior_probability,
        }

    def decode(self, priors: Priors, regression: Tensor) -> Tensor:
        """Distances [N, A, 4] in strides → boxes [N, A, 4] in pixels of the input, not clipped."""
        distances = regression * priors.strides[:, None]
        return torch.cat([priors.points - distances[..., :2], priors.points + distances[..., 2:]], -1)
