"""SSD's head (Liu et al., ECCV 2016): one convolution per level for the classes, one for the boxes, none shared."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.detection.heads import flatten_levels, set_prior_probability


class SSDHead(nn.Module):
    """Class logits and deltas of anchors.

    Args:
        classes: C.
        anchors: per cell, the same at every level.
        channels: of each level.
        prior_probability: that every anchor begins with, of every class.
    """

    def __init__(self, classes: int, anchors: int, channels: Sequence[int], prior_probability: float) -> None:
        super().__init__()
        self.classes = classes
        self.class_logits = nn.ModuleList(nn.Conv2d(c, anchors * classes, 3, padding=1) for c in channels)
        self.deltas = nn.ModuleList(nn.Conv2d(c, anchors * 4, 3, padding=1) for c in channels)
        for layer in (*self.class_logits, *self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        for layer in self.class_logits:
            set_prior_probability(layer, prior_probability)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Levels [N, channels[l], H_l, W_l] → class logits [N, A, C] and deltas [N, A, 4]."""
        logits = [predict(x) for predict, x in zip(self.class_logits, levels, strict=True)]
        deltas = [predict(x) for predict, x in zip(self.deltas, levels, strict=True)]
        return flatten_levels(logits, self.classes), flatten_levels(deltas, 4)
