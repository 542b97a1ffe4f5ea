"""The layers that the intertwiner adds to a detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.faster_rcnn.regions import ROI_SIZE
from models.detection.intertwiner.sinkhorn import debiased_transport_cost, transport_cost
from models.detection.layers import initialise


class MakeUp(nn.Module):
    """Gives the features of a region back what resampling lost: [R, C, 14, 14] → the same (Sec. 3.1).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        _draw_as_the_head(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """See the class."""
        return self.layers(pooled)


class Critic(nn.Module):
    """What a region is, wherever in it: [R, C, 14, 14] → [R, hidden], by two convolutions (Sec. 3.1).

    Args:
        channels: C; twice as many lie between.
        hidden: of what comes out.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 2 * channels, 3, 2, padding=1), nn.ReLU()),
            *(nn.Conv2d(2 * channels, hidden, ROI_SIZE // 2), nn.ReLU(), nn.Flatten()),
        )
        _draw_as_the_head(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """See the class."""
        return self.layers(pooled)


def _draw_as_the_head(part: nn.Module) -> None:
    """The critic's features are added to those of :class:`~models.detection.faster_rcnn.box_head.BoxHead`: the paper's
    Table 2c shows what becomes of sums of unlike sizes."""
    for layer in part.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)


class Generator(nn.Module):
    """F of Sec. 3.3: a coarse level P_m as it would be at a finer level's size, P_m|l.

    Two convolutions, as the paper has them; the first, before the map grows, keeps a quarter of the channels, so
    that the second costs no more than a small layer of P_l.

    Args:
        channels: of both levels, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Conv2d(channels, channels // 4, 3, padding=1)
        self.after = nn.Conv2d(channels // 4, channels, 3, padding=1)
        initialise(self)

    def forward(self, coarse: Tensor, size: tuple[int, int]) -> Tensor:
        """[N, C, H_m, W_m] → [N, C, *size]."""
        return self.after(upsample(F.relu(self.before(coarse)), size))


def upsample(coarse: Tensor, size: tuple[int, int]) -> Tensor:
    """The bilinear F: [N, C, H_m, W_m] → [N, C, *size]."""
    return F.interpolate(coarse, size, mode="bilinear", align_corners=False)


class Alignment(nn.Module):
    """How far P_m|l is from P_l; each level owns one. The channels of an image are the samples that are compared.

    The critic unit H makes 8×8 numbers of each channel's map, whatever its size: the map is averaged to 16×16, and one
    convolution of stride 2 follows.

    Args:
        channels: of both maps.
        measure: of :data:`MEASURES`.
    """

    def __init__(self, channels: int, measure: str) -> None:
        super().__init__()
        self.measure = MEASURES[measure]
        self.critic = nn.Sequential(
            nn.AdaptiveAvgPool2d(16), nn.Conv2d(channels, channels, 3, 2, padding=1), nn.Flatten(2)
        )
        initialise(self)

    def forward(self, fine: Tensor, grown: Tensor) -> Tensor:
        """The mean over the images; both [N, C, H, W]."""
        return self.measure(self.critic(fine).float(), self.critic(grown).float()).mean()


def _l2(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean(dim=(-2, -1))


def _kl(a: Tensor, b: Tensor) -> Tensor:
    return _divergence_of_softmax(b, a).mean(-1)


def _divergence_of_softmax(reference: Tensor, found: Tensor) -> Tensor:
    """Σ r·log(r/f) over the last dimension, of both as probabilities."""
    log_r = reference.log_softmax(-1)
    return (log_r.exp() * (log_r - found.log_softmax(-1))).sum(-1)


MEASURES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ot": transport_cost,
    "ot-debiased": debiased_transport_cost,
    "l2": _l2,
    "kl": _kl,
}
"""Table 1 (d): [N, C, k] and [N, C, k] → [N]. ``ot-debiased`` is what the paper calls the biased version."""

DIVERGENCES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l2": lambda found, representative: (found - representative).square().mean(-1),
    "l1": lambda found, representative: (found - representative).abs().mean(-1),
    "kl": lambda found, representative: _divergence_of_softmax(representative, found),
}
"""Table 2b, D of Eq. 2: [R, D] and [R, D] → [R]. L1 and L2 are means over the channels: a factor of 1 is right for any
number of them."""
