"""A compact BMN (Lin et al., *BMN: Boundary-Matching Network for Temporal Action Proposal Generation*, ICCV 2019).

Three parts, as there: a base module; the temporal evaluation module (TEM), how likely an action starts and ends at
each location; the proposal evaluation module (PEM), which samples the content of every segment, a half of its duration
before and behind it included, and gives two confidences of it, learnt as a class and as a number.

Compact: all channels but the base's are ``dim``, no convolution is grouped, the PEM's convolutions run over the map of
(start, end), and its first, over samples, is applied to the columns before these are interpolated
(:class:`models.bcgnn.network.SampledLinear`). The scores are read and fused as BC-GNN's are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from models.bcgnn.network import NO_SEGMENT, SampledLinear, SegmentMap

CONTEXT = 0.5
"""How much of a segment's duration the samples reach beyond each of its ends."""


class Logits(NamedTuple):
    """Before the sigmoid: ``start`` and ``end`` [B, l_w], ``classified`` and ``regressed`` [B, l_w, l_w] of the segment
    from i to j."""

    start: Tensor
    end: Tensor
    classified: Tensor
    regressed: Tensor

    @property
    def content(self) -> Tensor:
        """[B, l_w, l_w], the logit of the geometric mean of both confidences: BMN's fusion multiplies their root."""
        log_p = 0.5 * (F.logsigmoid(self.classified) + F.logsigmoid(self.regressed))
        return log_p - (-log_p.expm1()).clamp(min=1e-30).log()


class BMN(nn.Module):
    """The whole network.

    Args:
        feature_dim: channels of the snippet features.
        length: l_w, snippets of a window.
        max_duration: the longest segment, in snippets; None: the whole window.
        base_dim: channels of the base module.
        dim: channels of everything behind it.
        samples: per segment, its context included.
    """

    def __init__(
        self,
        feature_dim: int,
        length: int = 100,
        max_duration: int | None = None,
        *,
        base_dim: int = 256,
        dim: int = 128,
        samples: int = 32,
    ) -> None:
        super().__init__()
        max_duration = length - 1 if max_duration is None else max_duration
        self.base = nn.Sequential(
            nn.Conv1d(feature_dim, base_dim, 3, padding=1), nn.ReLU(), nn.Conv1d(base_dim, dim, 3, padding=1), nn.ReLU()
        )
        self.boundaries = nn.Sequential(nn.Conv1d(dim, dim, 3, padding=1), nn.ReLU(), nn.Conv1d(dim, 2, 1))
        self.content = nn.Sequential(nn.Conv1d(dim, dim, 3, padding=1), nn.ReLU())
        self.segments = SegmentMap(length, max_duration, np.linspace(-CONTEXT, 1 + CONTEXT, samples))
        self.sampled = SampledLinear(dim, dim, samples)
        self.confidences = nn.Sequential(
            *(nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU(), nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU()),
            nn.Conv2d(dim, 2, 1),
        )

    def forward(self, features: Tensor) -> Logits:
        """``features`` [B, D_i, l_w] → logits, where i and j make no segment
        :data:`~models.bcgnn.network.NO_SEGMENT`."""
        base = self.base(features)
        start, end = self.boundaries(base).unbind(1)
        content = F.relu(self.sampled(self.content(base).transpose(1, 2), self.segments))
        dense = self.segments.as_map(content.movedim(-1, 1).flatten(0, 1), 0.0)
        confidences = self.confidences(dense.unflatten(0, (features.shape[0], -1)))
        classified, regressed = confidences.masked_fill(~self.segments.is_segment, NO_SEGMENT).unbind(1)
        return Logits(start, end, classified, regressed)
