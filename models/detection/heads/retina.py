"""RetinaNet's head (Lin et al., ICCV 2017, Sec. 4): two towers of convolutions, shared by all levels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.detection.heads import flatten_levels, set_prior_probability
from models.detection.layers import convolution, initialise


class RetinaHead(nn.Module):
    """Class logits and deltas of anchors.

    Args:
        classes: C.
        anchors: per cell.
        channels: of the levels, and of the towers.
        depth: convolutions in each tower.
        norm: in the towers, of :data:`models.detection.layers.NORMS`. ``none`` is the paper's, whose network is
            pre-trained; ``group`` is what learns from nothing.
        prior_probability: that every anchor begins with, of every class.
    """

    def __init__(
        self, classes: int, anchors: int, channels: int, depth: int, norm: str, prior_probability: float
    ) -> None:
        super().__init__()
        self.classes = classes
        self.class_tower = tower(channels, depth, norm)
        self.box_tower = tower(channels, depth, norm)
        self.class_logits = prediction(channels, anchors * classes)
        self.deltas = prediction(channels, anchors * 4)
        set_prior_probability(self.class_logits, prior_probability)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Levels [N, channels, H_l, W_l] → class logits [N, A, C] and deltas [N, A, 4]."""
        logits = [self.class_logits(self.class_tower(x)) for x in levels]
        deltas = [self.deltas(self.box_tower(x)) for x in levels]
        return flatten_levels(logits, self.classes), flatten_levels(deltas, 4)


def tower(channels: int, depth: int, norm: str) -> nn.Sequential:
    """Convolutions of 3×3 with ReLU, drawn as the paper draws them (σ = 0.01); with a normalisation, after He."""
    layers = nn.Sequential(*(convolution(channels, channels, norm=norm) for _ in range(depth)))
    if norm == "none":
        for layer in layers.modules():
            if isinstance(layer, nn.Conv2d):
                _draw(layer)
    else:
        initialise(layers)
    return layers


def prediction(channels: int, outputs: int) -> nn.Conv2d:
    """The last convolution, of 3×3: its outputs begin near zero."""
    layer = nn.Conv2d(channels, outputs, 3, padding=1)
    _draw(layer)
    return layer


def _draw(layer: nn.Conv2d) -> None:
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
