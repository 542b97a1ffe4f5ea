"""Small scenes for tests of matching and losses: detectors that only have priors, objects, and predictions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.detection.fcos import FCOS
from models.detection.matching import Objects
from models.detection.one_stage import AnchorDetector, OneStage
from models.detection.priors import POINT_ANCHORS, Anchors

HEIGHT, WIDTH = 64, 96


class Points(OneStage):
    """FCOS' priors and decoding, without a network."""

    decode = FCOS.decode


def anchor_detector(anchors: Anchors = Anchors(octaves=2)) -> AnchorDetector:  # noqa: B008
    """Three levels of anchors and no layers: tests make up its outputs."""
    return AnchorDetector(nn.Linear(1, 1), nn.Identity(), nn.Identity(), anchors, levels=3)


def point_detector() -> Points:
    """Three levels of points and no layers."""
    return Points(nn.Linear(1, 1), nn.Identity(), nn.Identity(), POINT_ANCHORS, levels=3)


def random_objects(count: int, generator: torch.Generator, classes: int = 2) -> Objects:
    """Boxes of 6 to 66 px, some of them cut off by the picture's border."""
    size = 6 + 60 * torch.rand(count, 2, generator=generator)
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    boxes = torch.cat([centre - size / 2, centre + size / 2], 1)
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, WIDTH)
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, HEIGHT)
    return Objects(boxes, torch.randint(classes, (count,), generator=generator))


def random_outputs(
    network: OneStage, images: int, generator: torch.Generator, classes: int = 2, spread: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Logits [N, A, C] and a regression [N, A, 4] that suits the detector."""
    count = len(network.priors(HEIGHT, WIDTH).boxes)
    logits = spread * torch.randn(images, count, classes, generator=generator)
    regression = torch.randn(images, count, 4, generator=generator)
    return logits, regression if isinstance(network, AnchorDetector) else regression.exp()
