"""What all one-stage detectors share: backbone, neck, head, and the priors that their predictions belong to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.detection.boxes import decode
from models.detection.priors import STRIDES, Anchors, Priors, make_priors

SIZE_MULTIPLE = 32
"""Height and width of an input are multiples of this: the maps of a pyramid are exact halves of each other."""


class OneStage(nn.Module):
    """Images to predictions at A priors. Scores are the sigmoid of the logits, a class by itself; no background.

    Args:
        backbone: images to maps (:class:`models.detection.backbones.Backbone`).
        neck: maps to levels.
        head: levels to predictions; the first are the class logits [N, A, C], the second the regression [N, A, 4].
        anchors: shapes in every cell.
        levels: how many the neck gives: the first of :data:`models.detection.priors.STRIDES`.

    Raises:
        ValueError: not 3 to 5 levels.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module, anchors: Anchors, levels: int) -> None:
        super().__init__()
        if not 3 <= levels <= len(STRIDES):
            raise ValueError(f"levels is {levels}, not 3 to {len(STRIDES)}")
        self.backbone, self.neck, self.head = backbone, neck, head
        self.anchors, self.strides = anchors, STRIDES[:levels]
        self._priors: dict[tuple[int, int, torch.device], Priors] = {}

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W], RGB, normalised by ImageNet's mean and deviation → what the head gives."""
        return self.head(self.neck(self.backbone(images)))

    def priors(self, height: int, width: int) -> Priors:
        """The places of the predictions for an input of this size, on the parameters' device; made once.

        Raises:
            ValueError: a size that is no multiple of :data:`SIZE_MULTIPLE`.
        """
        if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(f"an input of {height}x{width}: both must be multiples of {SIZE_MULTIPLE}")
        key = height, width, next(self.parameters()).device
        if key not in self._priors:
            self._priors[key] = make_priors(height, width, self.anchors, self.strides, key[2])
        return self._priors[key]


class AnchorDetector(OneStage):
    """A one-stage detector whose regression are deltas of anchor boxes."""

    def decode(self, priors: Priors, regression: Tensor) -> Tensor:
        """Deltas [N, A, 4] → boxes [N, A, 4] in pixels of the input, not clipped."""
        return decode(priors.boxes, regression)
