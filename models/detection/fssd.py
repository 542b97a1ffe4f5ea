"""FSSD (Li and Zhou, *FSSD: Feature Fusion Single Shot Multibox Detector*, 2017)."""

from __future__ import annotations

from models.detection.backbones import make_backbone
from models.detection.heads.ssd import SSDHead
from models.detection.necks.fusion import FusionPyramid
from models.detection.one_stage import AnchorDetector
from models.detection.priors import Anchors


class FSSD(AnchorDetector):
    """Feature fusion and SSD's head, with RetinaNet's anchors: a comparison of networks shall not be one of anchors.

    Args:
        classes: C.
        backbone: of :data:`models.detection.backbones.BACKBONES`.
        channels: of each map in the fusion; the two finest levels have twice as many.
        levels: of the pyramid, from stride 8.
        anchor_scale: side of the smallest square anchor, in strides.
        octaves: anchor sizes per octave.
        ratios: height / width of anchors.
        prior_probability: of every class at every anchor, before training.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "vgg16",
        *,
        channels: int = 256,
        levels: int = 5,
        anchor_scale: float = 4.0,
        octaves: int = 3,
        ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
        prior_probability: float = 0.01,
    ) -> None:
        anchors = Anchors(anchor_scale, octaves, tuple(ratios))
        body = make_backbone(backbone)
        neck = FusionPyramid(body.channels[-3:], channels, levels)
        head = SSDHead(classes, anchors.per_cell, neck.channels, prior_probability)
        super().__init__(body, neck, head, anchors, levels)
        self.arguments = {
            "classes": classes,
            "backbone": backbone,
            "channels": channels,
            "levels": levels,
            "anchor_scale": anchor_scale,
            "octaves": octaves,
            "ratios": tuple(ratios),
            "prior_probability": prior_probability,
        }
