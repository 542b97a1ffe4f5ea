"""What our detectors take: RGB, normalised by ImageNet's mean and deviation; what a letterbox leaves over is grey."""

from __future__ import annotations

import torch
from torch import Tensor

MEANS, STDS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of R, G and B, for values 0..1: what public ImageNet weights were trained with."""
PAD_VALUE = 114
"""0..255, near ImageNet's mean."""


def normalised(images: Tensor) -> Tensor:
    """[N, 3, H, W] uint8 RGB → float32, (value / 255 − mean) / std."""
    means, stds = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEANS, STDS))
    return (images.float() / 255 - means) / stds
