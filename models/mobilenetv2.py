"""MobileNetV2's features (Sandler et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

CHANNELS = 1280  # of what it gives
STRIDE = 32

# Table 2 of the paper: expansion, channels, repeats, stride of the first.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(nn.Module):
    """``image`` [N, 3, H, W], normalised by ImageNet's means, to [N, 1280, ⌈H/32⌉, ⌈W/32⌉]."""

    def __init__(self) -> None:
        super().__init__()
        channels = 32
        layers: list[nn.Module] = [_convolution(3, channels, kernel=3, stride=2)]
        for expansion, outputs, repeats, stride in _STAGES:
            for i in range(repeats):
                layers.append(InvertedResidual(channels, outputs, expansion, stride if i == 0 else 1))
                channels = outputs
        layers.append(_convolution(channels, CHANNELS, kernel=1))
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return self.features(image)

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a state dict trained on ImageNet; the classifier in it, if any, is left out.

        Raises:
            ValueError: it is of another network.
        """
        self.load_state_dict(in_torchvisions_names(state))


def in_torchvisions_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The features in a state dict trained on ImageNet, named as here and in torchvision.

    Names differ between those that are about (torchvision's, and the older ones of its model's author), the order does
    not.

    Raises:
        ValueError: it is of another network.
    """
    with torch.device("meta"):
        ours = MobileNetV2().state_dict()
    theirs = [value for name, value in state.items() if name.startswith("features.")]
    if [value.shape for value in ours.values()] != [value.shape for value in theirs]:
        raise ValueError("not the weights of MobileNetV2 at its usual width")
    return dict(zip(ours, theirs, strict=True))


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow without an activation; added to the input where sizes are equal."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [_convolution(inputs, hidden, kernel=1)] if expansion > 1 else []
        depthwise = _convolution(hidden, hidden, kernel=3, stride=stride, groups=hidden)
        self.conv = nn.Sequential(*widen, depthwise, nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, ⌈H/stride⌉, ⌈W/stride⌉]."""
        return x + self.conv(x) if self.is_residual else self.conv(x)


def _convolution(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )
