"""RetinaNet (Lin et al., *Focal Loss for Dense Object Detection*, ICCV 2017)."""

from __future__ import annotations

from models.detection.backbones import make_backbone
from models.detection.heads.retina import RetinaHead
from models.detection.necks.fpn import FPN
from models.detection.one_stage import AnchorDetector
from models.detection.priors import Anchors


class RetinaNet(AnchorDetector):
    """FPN and two shared towers. The defaults are the paper's.

    Args:
        classes: C.
        backbone: of :data:`models.detection.backbones.BACKBONES`.
        channels: of the pyramid and of the towers.
        depth: convolutions in each tower.
        norm: in the towers: ``none``, ``batch`` or ``group``.
        levels: of the pyramid, 3 to 5, from stride 8.
        anchor_scale: side of the smallest square anchor, in strides.
        octaves: anchor sizes per octave.
        ratios: height / width of anchors.
        prior_probability: of every class at every anchor, before training.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "resnet18",
        *,
        channels: int = 256,
        depth: int = 4,
        norm: str = "none",
        levels: int = 5,
        anchor_scale: float = 4.0,
        octaves: int = 3,
        ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
        prior_probability: float = 0.01,
    ) -> None:
        anchors = Anchors(anchor_scale, octaves, tuple(ratios))
        body = make_backbone(backbone)
        neck = FPN(body.channels[-3:], channels, coarser=levels - 3)
        head = RetinaHead(classes, anchors.per_cell, channels, depth, norm, prior_probability)
        super().__init__(body, neck, head, anchors, levels)
        self.arguments = {
            "classes": classes,
            "backbone": backbone,
            "channels": channels,
            "depth": depth,
            "norm": norm,
            "levels": levels,
            "anchor_scale": anchor_scale,
            "octaves": octaves,
            "ratios": tuple(ratios),
            "prior_probability": prior_probability,
        }
