"""Receptive field blocks (Liu, Huang and Wang, *Receptive Field Block Net*, ECCV 2018).

A block looks at its input through branches of growing kernels, each followed by a 3×3 convolution whose dilation grows
with the kernel: the nearer to the centre, the finer. The branches together, by a linear 1×1 convolution and made small,
are added to a shortcut.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.layers import convolution, initialise

_RESIDUAL_SCALE = 0.1  # of the branches beside the shortcut, after Inception-ResNet
_NARROWING = 8  # a branch's bottleneck has so many times fewer channels than the block is given

_linear = partial(convolution, relu=False)


class ReceptiveFieldBlock(nn.Module):
    """Branches side by side, joined, beside a shortcut: [N, inputs, H, W] → [N, outputs, ⌈H/stride⌉, ⌈W/stride⌉].

    Args:
        branches: each from ``inputs`` channels to ``joined`` / number of branches, at the stride.
        joined: channels of all branches.
        inputs: channels.
        outputs: channels.
        stride: of the branches and the shortcut.
    """

    def __init__(self, branches: Sequence[nn.Module], joined: int, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.join = _linear(joined, outputs, 1)
        self.shortcut = _linear(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        residual = self.join(torch.cat([branch(x) for branch in self.branches], 1))
        return F.relu(self.shortcut(x) + _RESIDUAL_SCALE * residual)


def rfb(inputs: int, outputs: int, stride: int = 1) -> ReceptiveFieldBlock:
    """The block of Fig. 4a: kernels of 1, 3 and 5 (as two of 3), dilations of 1, 3 and 5."""
    narrow = inputs // _NARROWING
    wide = 2 * narrow
    branches = (
        nn.Sequential(convolution(inputs, wide, 1, stride=stride), _linear(wide, wide)),
        nn.Sequential(
            convolution(inputs, narrow, 1),
            convolution(narrow, wide, stride=stride),
            _linear(wide, wide, dilation=3),
        ),
        nn.Sequential(
            convolution(inputs, narrow, 1),
            convolution(narrow, narrow + narrow // 2),
            convolution(narrow + narrow // 2, wide, stride=stride),
            _linear(wide, wide, dilation=5),
        ),
    )
    return ReceptiveFieldBlock(branches, 3 * wide, inputs, outputs, stride)


def rfb_s(inputs: int, outputs: int) -> ReceptiveFieldBlock:
    """The block of Fig. 4b, for the finest level: kernels of 1, 3×1, 1×3 and 3, dilations of 1, 3, 3 and 5."""
    narrow = inputs // _NARROWING
    wide = 2 * narrow
    branches = (
        nn.Sequential(convolution(inputs, wide, 1), _linear(wide, wide)),
        *(
            nn.Sequential(
                convolution(inputs, narrow, 1),
                convolution(narrow, wide, kernel),
                _linear(wide, wide, dilation=dilation),
            )
            for kernel, dilation in (((3, 1), 3), ((1, 3), 3), ((3, 3), 5))
        ),
    )
    return ReceptiveFieldBlock(branches, 4 * wide, inputs, outputs, stride=1)


class RFBPyramid(nn.Module):
    """Levels of RFBNet from VGG-16's conv4_3 and fc7; those of strides beyond 64 by plain convolutions.

    Args:
        inputs: channels of both maps.
        channels: of the levels from stride 64 on; that of stride 32 has twice as many.
        levels: of the pyramid, 4 or more.

    Raises:
        ValueError: fewer.
    """

    def __init__(self, inputs: Sequence[int], channels: int = 256, levels: int = 5) -> None:
        super().__init__()
        if levels < 4:
            raise ValueError(f"levels is {levels}: receptive field blocks make 4, so RFBNet has at least as many")
        fine, coarse = inputs
        self.channels = (fine, coarse, 2 * channels, *[channels] * (levels - 3))
        self.fine = rfb_s(fine, fine)
        half = channels // 2
        plain = [
            nn.Sequential(convolution(channels, half, 1), convolution(half, channels, stride=2))
            for _ in range(levels - 4)
        ]
        self.chain = nn.ModuleList(
            [rfb(coarse, coarse), rfb(coarse, 2 * channels, 2), rfb(2 * channels, channels, 2), *plain]
        )
        initialise(self)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """conv4_3 and fc7, [N, inputs[l], H_l, W_l] → levels [N, self.channels[l], ⌈H_0/2^l⌉, ⌈W_0/2^l⌉]."""
        fine, above = maps
        levels = [self.fine(fine)]
        for shrink in self.chain:
            above = shrink(above)
            levels.append(above)
        return tuple(levels)
