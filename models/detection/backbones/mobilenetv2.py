"""MobileNetV2 (Sandler et al., CVPR 2018) without its last convolution and its classifier."""

from __future__ import annotations

from torch import Tensor, nn

from models.mobilenetv2 import MobileNetV2

_ENDS = (4, 7, 14, 18)
"""Layers of ``features`` up to the last of 24, 32, 96 and 320 channels (Table 2 of the paper)."""


class MobileNetV2Maps(nn.Module):
    """Images to the maps C2 to C5, at strides of 4, 8, 16 and 32 pixels; see :mod:`models.detection.backbones`."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = (24, 32, 96, 320)
        self.strides = (4, 8, 16, 32)
        self.features = MobileNetV2().features[: _ENDS[-1]]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W] → C2, C3, C4, C5."""
        x, maps = images, []
        for first, end in zip((0, *_ENDS), _ENDS, strict=False):
            x = self.features[first:end](x)
            maps.append(x)
        return tuple(maps)
