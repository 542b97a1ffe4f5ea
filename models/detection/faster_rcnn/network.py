"""Faster R-CNN with a feature pyramid (Lin et al., CVPR 2017, Sec. 4), boxes regressed without regard to the class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.backbones import make_backbone
from models.detection.boxes import clip, decode
from models.detection.faster_rcnn.box_head import BoxHead, box_losses
from models.detection.faster_rcnn.proposals import Proposals, RegionProposals, proposal_losses, propose
from models.detection.faster_rcnn.regions import (
    CANONICAL_SIZE,
    STRIDES,
    TrainedRegions,
    level_of,
    pool,
    sample_regions,
)
from models.detection.matching import Objects
from models.detection.necks.fpn import FPN
from models.detection.priors import Anchors, Priors, make_priors

PYRAMID_STRIDES = (*STRIDES, 64)
"""In pixels, of the levels that regions are proposed on: P2 to P6."""


class FasterRCNN(nn.Module):
    """Images to regions, and regions to classes and boxes.

    Args:
        classes: C.
        backbone: of :data:`models.detection.backbones.BACKBONES`, with a map of stride 4: a ResNet.
        channels: of the pyramid.
        hidden: outputs of the second stage's layers.
        anchor_scale: side of the square anchor, in strides: 8 makes 32 px on P2 to 512 px on P6.
        ratios: height / width of anchors.
        before_nms: regions of each level that go into NMS.
        proposals: K, regions of an image that the second stage looks at.
        regions_per_image: drawn from them in training.
        canonical_size: px, of a region that is looked at on P4.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "resnet50",
        *,
        channels: int = 256,
        hidden: int = 1024,
        anchor_scale: float = 8.0,
        ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
        before_nms: int = 1000,
        proposals: int = 300,
        regions_per_image: int = 200,
        canonical_size: float = CANONICAL_SIZE,
    ) -> None:
        super().__init__()
        self.arguments = {
            "classes": classes,
            "backbone": backbone,
            "channels": channels,
            "hidden": hidden,
            "anchor_scale": anchor_scale,
            "ratios": tuple(ratios),
            "before_nms": before_nms,
            "proposals": proposals,
            "regions_per_image": regions_per_image,
            "canonical_size": canonical_size,
        }
        self.backbone = make_backbone(backbone)
        if self.backbone.strides != STRIDES:
            raise ValueError(
                f"backbone {backbone} has no map of stride 4, which regions are looked at on: take a ResNet"
            )
        self.neck = FPN(self.backbone.channels, channels)
        self.anchors = Anchors(anchor_scale, octaves=1, ratios=tuple(ratios))
        self.region_proposals = RegionProposals(channels, self.anchors)
        self.head = BoxHead(classes, channels, hidden)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What there is, before NMS.

        Args:
            images: [N, 3, H, W], RGB, normalised by ImageNet's mean and deviation; H and W multiples of 32.

        Returns:
            ``boxes`` [N, K, 4] px of the input, inside it, and ``scores`` [N, K, C], probabilities; all 0 where fewer
            than K regions were found.
        """
        levels = self.pyramid(images)
        proposals = self.propose(*self.region_proposals(levels), images)
        count = proposals.boxes.shape[1]
        boxes = proposals.boxes.flatten(0, 1)
        of_image = torch.arange(images.shape[0], device=images.device)[:, None].expand(-1, count).flatten()
        pooled = pool(levels[:-1], boxes, of_image, self.level_of(boxes))
        logits, deltas = self.head.predict(self.features(pooled))
        scores = logits.softmax(-1)[:, :-1].unflatten(0, (-1, count)) * proposals.valid[..., None]
        found = decode(proposals.boxes, deltas.unflatten(0, (-1, count)))
        return clip(found, *images.shape[2:]), scores

    def losses(self, images: Tensor, objects: Sequence[Objects]) -> dict[str, Tensor]:
        """The terms whose sum trains both stages together.

        Args:
            images: as for :meth:`forward`.
            objects: of each of the N images.
        """
        levels = self.pyramid(images)
        logits, deltas = self.region_proposals(levels)
        losses = proposal_losses(logits, deltas, self.priors(images), objects)
        regions = sample_regions(
            self.propose(logits, deltas, images),
            objects,
            classes=self.arguments["classes"],
            per_image=self.arguments["regions_per_image"],
        )
        return losses | self.region_losses(levels[:-1], regions)

    def region_losses(self, levels: Sequence[Tensor], regions: TrainedRegions) -> dict[str, Tensor]:
        """Of the second stage, on P2 to P5."""
        pooled = pool(levels, regions.boxes, regions.images, self.level_of(regions.boxes))
        return box_losses(*self.head.predict(self.features(pooled)), regions.labels, regions.deltas)

    def features(self, pooled: Tensor) -> Tensor:
        """[R, channels, 14, 14] → [R, hidden], what classes and boxes are predicted from."""
        return self.head.layers(pooled)

    def pyramid(self, images: Tensor) -> tuple[Tensor, ...]:
        """P2 to P6, [N, channels, ⌈H/s⌉, ⌈W/s⌉] at :data:`PYRAMID_STRIDES`."""
        levels = self.neck(self.backbone(images))
        return *levels, F.max_pool2d(levels[-1], 1, 2)

    def propose(self, logits: Tensor, deltas: Tensor, images: Tensor) -> Proposals:
        """The regions that the second stage looks at."""
        height, width = images.shape[2:]
        numbers = self.arguments
        return propose(
            *(logits, deltas, self.priors(images), height, width),
            before_nms=numbers["before_nms"],
            count=numbers["proposals"],
        )

    def priors(self, images: Tensor) -> Priors:
        """The anchors of P2 to P6."""
        return make_priors(*images.shape[2:], self.anchors, PYRAMID_STRIDES, images.device)

    def level_of(self, boxes: Tensor) -> Tensor:
        """Which level a region is looked at on, 0 for P2."""
        return level_of(boxes, self.arguments["canonical_size"])
