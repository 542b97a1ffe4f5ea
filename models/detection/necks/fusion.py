"""FSSD's neck (Li and Zhou, *FSSD: Feature Fusion Single Shot Multibox Detector*, 2017).

The maps are fused once, at the size of the finest, and a new pyramid is made of that.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.layers import convolution, initialise


class FusionPyramid(nn.Module):
    """1×1 convolutions, enlarged bilinearly, side by side, normalised; then a chain of 3×3 convolutions, each level
    half the size of the one before. Of the original's convolutions only the fusion is normalised; here every one is.

    Args:
        inputs: channels of the backbone's last maps, finest first; earlier maps are not used.
        channels: of each map in the fusion, and of all levels but the two finest, which have twice as many.
        levels: of the pyramid.
    """

    def __init__(self, inputs: Sequence[int], channels: int = 256, levels: int = 5) -> None:
        super().__init__()
        self.channels = tuple(channels * 2 if level < 2 else channels for level in range(levels))
        fused = channels * len(inputs)
        self.lateral = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in inputs)
        self.norm = nn.BatchNorm2d(fused)
        self.chain = nn.ModuleList(
            convolution(before, after, stride=1 if level == 0 else 2)
            for level, (before, after) in enumerate(zip((fused, *self.channels), self.channels, strict=False))
        )
        initialise(self)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps [N, inputs[l], H_l, W_l] → levels [N, self.channels[l], ⌈H_0/2^l⌉, ⌈W_0/2^l⌉]."""
        maps = maps[-len(self.lateral) :]
        narrowed = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        enlarged = [narrowed[0]] + [
            F.interpolate(x, scale_factor=float(2**level), mode="bilinear", align_corners=False)
            for level, x in enumerate(narrowed[1:], start=1)
        ]
        above = self.norm(torch.cat(enlarged, 1))
        levels = []
        for shrink in self.chain:
            above = shrink(above)
            levels.append(above)
        return tuple(levels)
