"""Balanced L1 loss (Pang et al., *Libra R-CNN*, CVPR 2019, Eqs. 7 to 9)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ALPHA = 0.5  # the smaller, the more inliers weigh
GAMMA = 1.5  # the gradient of an outlier
_B = math.exp(GAMMA / ALPHA) - 1  # α ln(b + 1) = γ: the gradient is continuous at 1


def balanced_l1(found: Tensor, truth: Tensor) -> Tensor:
    """Of every entry: ``α/b (b|x| + 1) ln(b|x| + 1) − α|x|`` for the error |x| < 1, ``γ|x| + γ/b − α`` above.

    Args:
        found: any shape.
        truth: the same shape.
    """
    error = (found - truth).abs()
    small = error.clamp(max=1)
    inlier = ALPHA / _B * (_B * small + 1) * (_B * small).log1p() - ALPHA * small
    return torch.where(error < 1, inlier, GAMMA * error + GAMMA / _B - ALPHA)
