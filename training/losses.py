"""Losses of the segmentation networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def inverse_frequency_weights(frequencies: Sequence[float]) -> Tensor:
    """``1 / (f_c + 0.001)`` per class, as in SqueezeSegV3's release; 0 for class 0 (unlabelled). [C] float32."""
    weights = 1 / (torch.as_tensor(frequencies, dtype=torch.float32) + 0.001)
    weights[0] = 0
    return weights


def inverse_log_weights(frequencies: Sequence[float]) -> Tensor:
    """``1 / log(f_c + 1.02)`` per class; 0 for class 0. [C] float32.

    The weight of SqueezeSegV3, Eq. 5, with the constant of ENet (Paszke et al., 2016, Sec. 5.2), which keeps it
    positive. Rare classes weigh up to 50, not up to 1000: they are found more slowly, but not everywhere.
    """
    weights = 1 / torch.log(torch.as_tensor(frequencies, dtype=torch.float32) + 1.02)
    weights[0] = 0
    return weights


def multi_layer_cross_entropy(outputs: Sequence[Tensor], labels: Tensor, class_weights: Tensor) -> Tensor:
    """Sum of the weighted cross-entropies of all heads (SqueezeSegV3, Eq. 5).

    ``outputs``: logits [B, C, H_i, W_i]; ``labels`` [B, H, W] int64 are brought to each head's size by nearest
    neighbour. Pixels of class 0 do not count. 0 where there are no others.
    """
    total = outputs[0].new_zeros((), dtype=torch.float32)
    for logits in outputs:
        target = F.interpolate(labels[:, None].float(), logits.shape[2:], mode="nearest")[:, 0].long()
        loss = F.cross_entropy(logits.float(), target, class_weights, ignore_index=0, reduction="sum")
        total = total + loss / class_weights[target].sum().clamp(min=1e-6)
    return total
