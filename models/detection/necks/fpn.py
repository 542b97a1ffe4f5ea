"""Feature pyramid network (Lin et al., CVPR 2017), with the coarser levels of RetinaNet and FCOS."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class FPN(nn.Module):
    """A pyramid whose levels all have the same channels: each map, by a 1×1 convolution, plus the level above it at
    twice its size, smoothed by a 3×3 convolution.

    Args:
        inputs: channels of the backbone's last maps, finest first, each of half the size of the one before; earlier
            maps are not used.
        channels: of every level.
        coarser: levels to add above, each half as large, by 3×3 convolutions of stride 2.
        coarser_from: what the first of them is made from: ``input``, the backbone's last map (RetinaNet), or
            ``output``, the pyramid's last level (FCOS).
    """

    def __init__(
        self, inputs: Sequence[int], channels: int = 256, *, coarser: int = 0, coarser_from: str = "input"
    ) -> None:
        super().__init__()
        if coarser_from not in ("input", "output"):
            raise ValueError(f"coarser_from is {coarser_from!r}, not input or output")
        self.from_input = coarser_from == "input"
        self.lateral = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in inputs)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)
        first = inputs[-1] if self.from_input else channels
        self.coarser = nn.ModuleList(
            nn.Conv2d(first if level == 0 else channels, channels, 3, 2, padding=1) for level in range(coarser)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)  # the Xavier of Caffe2, as Detectron has it
                nn.init.zeros_(layer.bias)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps [N, inputs[l], H_l, W_l] → levels [N, channels, H_l, W_l], and the coarser ones."""
        maps = maps[-len(self.lateral) :]
        merged = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for level in range(len(merged) - 2, -1, -1):
            merged[level] = merged[level] + F.interpolate(merged[level + 1], scale_factor=2.0, mode="nearest")
        levels = [smooth(x) for smooth, x in zip(self.smooth, merged, strict=True)]
        above = maps[-1] if self.from_input else levels[-1]
        for index, shrink in enumerate(self.coarser):
            above = shrink(above if index == 0 else F.relu(above))
            levels.append(above)
        return tuple(levels)
