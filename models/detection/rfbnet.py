"""RFBNet (Liu, Huang and Wang, *Receptive Field Block Net for Accurate and Fast Object Detection*, ECCV 2018)."""

from __future__ import annotations

from models.detection.backbones.vgg import VGG16
from models.detection.heads.ssd import SSDHead
from models.detection.necks.rfb import RFBPyramid
from models.detection.one_stage import AnchorDetector
from models.detection.priors import Anchors


class RFBNet(AnchorDetector):
    """Receptive field blocks on VGG-16 and SSD's head, with the anchors of RetinaNet.

    Args:
        classes: C.
        channels: of the levels from stride 64 on; that of stride 32 has twice as many.
        levels: of the pyramid, from stride 8; 4 or 5.
        anchor_scale: side of the smallest square anchor, in strides.
        octaves: anchor sizes per octave.
        ratios: height / width of anchors.
        prior_probability: of every class at every anchor, before training.
    """

    def __init__(
        self,
        classes: int,
        *,
        channels: int = 256,
        levels: int = 5,
        anchor_scale: float = 4.0,
        octaves: int = 3,
        ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
        prior_probability: float = 0.01,
    ) -> None:
        anchors = Anchors(anchor_scale, octaves, tuple(ratios))
        body = VGG16(c5=False)
        neck = RFBPyramid(body.channels, channels, levels)
        head = SSDHead(classes, anchors.per_cell, neck.channels, prior_probability)
        super().__init__(body, neck, head, anchors, levels)
        self.arguments = {
            "classes": classes,
            "channels": channels,
            "levels": levels,
            "anchor_scale": anchor_scale,
            "octaves": octaves,
            "ratios": tuple(ratios),
            "prior_probability": prior_probability,
        }
