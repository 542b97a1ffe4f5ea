"""What BMN is trained to make small (Lin et al., ICCV 2019, Sec. 3.5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from models.bcgnn.loss import weighted_log_loss
from models.bmn.network import Logits

_HIGH, _LOW = 0.7, 0.3  # tIoU: above, between and below are drawn alike often for the regression
_CLASS = 0.9  # tIoU above which the classifier is to say yes
_REGRESSION_WEIGHT = 10.0


class Losses(NamedTuple):
    """Of boundaries, of the classified and of the regressed confidence: scalars."""

    boundaries: Tensor
    classified: Tensor
    regressed: Tensor

    @property
    def total(self) -> Tensor:
        """Eq. 6, with λ = 10."""
        return self.boundaries + self.classified + _REGRESSION_WEIGHT * self.regressed


def losses(logits: Logits, start: Tensor, end: Tensor, tiou: Tensor, segments: Tensor) -> Losses:
    """The losses of a batch.

    Args:
        logits: of the network.
        start, end: labels [B, l_w], bool.
        tiou: [B, l_w, l_w], the largest of each segment with any action.
        segments: [l_w, l_w] bool, where i and j make a segment (``network.segments.is_segment``).

    Where BMN draws as many segments of middling and of low tIoU as there are of high, they are weighed by what they
    would be drawn: the same in the mean, and the same each time.
    """
    truth = tiou[:, segments]
    probability = torch.sigmoid(logits.regressed[:, segments])
    groups = (truth > _HIGH, (truth > _LOW) & (truth <= _HIGH), truth <= _LOW)
    squares = (probability - truth) ** 2
    means = [squares[group].mean() for group in groups if group.any()]
    return Losses(
        boundaries=weighted_log_loss(logits.start.flatten(), start.flatten())
        + weighted_log_loss(logits.end.flatten(), end.flatten()),
        classified=weighted_log_loss(logits.classified[:, segments].flatten(), (truth > _CLASS).flatten()),
        regressed=torch.stack(means).mean(),
    )
