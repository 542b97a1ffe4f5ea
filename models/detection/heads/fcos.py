"""FCOS' head (Tian et al., ICCV 2019, Sec. 3; TPAMI 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.detection.boxes import MAX_LOG_SCALE
from models.detection.heads import flatten_levels, set_prior_probability
from models.detection.heads.retina import prediction, tower


class FCOSHead(nn.Module):
    """Class logits and distances of points, with centre-ness beside the distances.

    Args:
        classes: C.
        levels: how many, each with a factor of its own on the logarithm of the distances.
        channels: of the levels, and of the towers.
        depth: convolutions in each tower.
        norm: in the towers, of :data:`models.detection.layers.NORMS`.
        centerness: whether to predict how central a point is in its object.
        prior_probability: that every point begins with, of every class.
    """

    def __init__(
        self,
        classes: int,
        levels: int,
        channels: int,
        depth: int,
        norm: str,
        centerness: bool,
        prior_probability: float,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.class_tower = tower(channels, depth, norm)
        self.box_tower = tower(channels, depth, norm)
        self.class_logits = prediction(channels, classes)
        self.distances = prediction(channels, 4)
        self.centerness = prediction(channels, 1) if centerness else None
        self.scales = nn.Parameter(torch.ones(levels))
        set_prior_probability(self.class_logits, prior_probability)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Levels [N, channels, H_l, W_l] → class logits [N, A, C], distances [N, A, 4] > 0 in strides to the left, top,
        right and bottom, and with ``centerness`` its logits [N, A]."""
        logits, distances, centerness = [], [], []
        for level, x in enumerate(levels):
            features = self.box_tower(x)
            logits.append(self.class_logits(self.class_tower(x)))
            log_distances = self.scales[level] * self.distances(features)
            distances.append(log_distances.clamp(max=MAX_LOG_SCALE).exp())
            if self.centerness is not None:
                centerness.append(self.centerness(features))
        outputs = flatten_levels(logits, self.classes), flatten_levels(distances, 4)
        return (*outputs, flatten_levels(centerness, 1).squeeze(-1)) if centerness else outputs
