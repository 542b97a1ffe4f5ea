"""Focal loss (Lin et al., *Focal Loss for Dense Object Detection*, ICCV 2017, Eq. 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHA = 0.25  # weight of what is there; 1 − α of what is not
GAMMA = 2.0


def focal_loss(logits: Tensor, truth: Tensor, alpha: float = ALPHA, gamma: float = GAMMA) -> Tensor:
    """``−α_t (1 − p_t)^γ log p_t`` of every entry.

    Args:
        logits: any shape; each is a class by itself (sigmoid).
        truth: the same shape, bool.
        alpha: weight of the true entries; 1 − α of the others.
        gamma: γ ≥ 0, how little easy entries weigh.

    Returns:
        As ``logits``. Finite with finite gradients for logits of any size.
    """
    towards_truth = torch.where(truth, logits, -logits)
    log_right = F.logsigmoid(towards_truth)
    log_wrong = log_right - towards_truth
    weight = torch.where(truth, alpha, 1 - alpha)
    return -weight * (gamma * log_wrong).exp() * log_right
