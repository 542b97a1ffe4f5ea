"""What BC-GNN is trained to make small (Sec. 3.4, Eqs. 6 and 7)."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from models.bcgnn.network import Logits


class Losses(NamedTuple):
    """Of starts, ends and content: scalars."""

    start: Tensor
    end: Tensor
    content: Tensor

    @property
    def total(self) -> Tensor:
        """Eq. 6: their sum."""
        return self.start + self.end + self.content


def losses(logits: Logits, start: Tensor, end: Tensor, content: Tensor, segments: Tensor) -> Losses:
    """The losses of a batch.

    Args:
        logits: of the network.
        start, end: labels [B, l_w], bool.
        content: labels [B, l_w, l_w], bool.
        segments: [l_w, l_w] bool, where i and j make a segment (``network.segments.is_segment``).
    """
    return Losses(
        start=weighted_log_loss(logits.start.flatten(), start.flatten()),
        end=weighted_log_loss(logits.end.flatten(), end.flatten()),
        content=weighted_log_loss(logits.content[:, segments].flatten(), content[:, segments].flatten()),
    )


def weighted_log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """``−1/N Σ (α⁺ b log p + α⁻ (1 − b) log(1 − p))`` with ``α⁺ = N / Σb``, ``α⁻ = N / Σ(1 − b)``, p the sigmoid.

    Eq. 7 without its misprints (sign, brackets) and divided by N: as a plain sum l_w²/2 segments would outweigh l_w
    starts by fifty to one. Both classes weigh the same; one that is absent weighs nothing.

    Args:
        logits: [N].
        labels: [N] bool.
    """
    truth = labels.to(logits.dtype)
    positives = -(truth * F.logsigmoid(logits)).sum() / truth.sum().clamp(min=1)
    negatives = -((1 - truth) * F.logsigmoid(-logits)).sum() / (1 - truth).sum().clamp(min=1)
    return positives + negatives
