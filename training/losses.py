"""Losses of the segmentation networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.processes import process_count, total


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


def equal_weights(frequencies: Sequence[float]) -> Tensor:
    """1 per class, 0 for class 0. [C] float32."""
    weights = torch.ones(len(frequencies))
    weights[0] = 0
    return weights


CLASS_WEIGHTS = {"inverse": inverse_frequency_weights, "log": inverse_log_weights, "none": equal_weights}


def multi_layer_cross_entropy(outputs: Sequence[Tensor], labels: Tensor, class_weights: Tensor) -> list[Tensor]:
    """The weighted cross-entropy of each head; their sum is the loss of SqueezeSegV3, Eq. 5.

    ``outputs``: logits [B, C, H_i, W_i]; ``labels`` [B, H, W] int64 are brought to each head's size by nearest
    neighbour. Pixels of class 0 do not count. 0 where there are no others.

    Where several processes share the batch, each gives its own pixels' part of the mean over all of them, times the
    number of processes: the mean of their gradients is then that of the whole batch.
    """
    losses = []
    for logits in outputs:
        target = F.interpolate(labels[:, None].float(), logits.shape[2:], mode="nearest")[:, 0].long()
        loss = F.cross_entropy(logits.float(), target, class_weights, ignore_index=0, reduction="sum")
        weight = total(class_weights[target].sum())
        losses.append(loss * process_count() / weight.clamp(min=1e-6))
    return losses


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """The Lovász extension of the Jaccard loss, mean over the classes present in ``labels``.

    Berman, Rannen Triki & Blaschko, *The Lovász-Softmax loss*, CVPR 2018, Eq. 9 to 11 and Algorithm 1; over the
    batch of one process. ``logits`` [B, C, H, W], ``labels`` [B, H, W] int64; pixels of class 0 do not count.
    """
    labelled = labels > 0
    truth = labels[labelled]
    probabilities = logits.float().softmax(dim=1).movedim(1, -1)[labelled]
    losses = []
    for c in truth.unique().tolist():
        foreground = (truth == c).float()
        errors, order = (foreground - probabilities[:, c]).abs().sort(descending=True)
        losses.append(errors @ _jaccard_gradient(foreground[order]))
    return torch.stack(losses).mean() if losses else logits.sum() * 0.0


def _jaccard_gradient(foreground: Tensor) -> Tensor:
    """How much the Jaccard loss grows with each further pixel that is wrong, in this order (Algorithm 1). [N]."""
    hits_left = foreground.sum() - foreground.cumsum(0)
    union = foreground.sum() + (1 - foreground).cumsum(0)
    loss = 1 - hits_left / union
    return torch.diff(loss, prepend=loss.new_zeros(1))
