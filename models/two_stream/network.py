"""The snippet encoder: an RGB stream and a flow stream (Simonyan and Zisserman, NIPS 2014), joined at the end.

Each stream's last map is pooled by mean and by maximum: the mean is the scene and the camera's own motion, the maximum
somebody small in it. The classifier is there for training; its inputs, before the activation, are the features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.mobilenetv2 import CHANNELS, MobileNetV2

FLOW_WIDTHS = (16, 32, 64, 128)


class TwoStream(nn.Module):
    """Features of snippets, and the logits of what happens in them.

    Args:
        flow_channels: of the stack of flow (:attr:`models.two_stream.snippets.SnippetSettings.flow_channels`).
        classes: of the classifier.
        stream_dim: features of each stream; D is twice that.
    """

    def __init__(self, flow_channels: int, classes: int, stream_dim: int = 128) -> None:
        super().__init__()
        self.arguments = {"flow_channels": flow_channels, "classes": classes, "stream_dim": stream_dim}
        self.rgb = MobileNetV2()
        self.flow = FlowNet(flow_channels)
        self.rgb_head = Head(CHANNELS, stream_dim)
        self.flow_head = Head(FLOW_WIDTHS[-1], stream_dim)
        self.classifier = nn.Sequential(nn.ReLU(), nn.Dropout(0.2), nn.Linear(2 * stream_dim, classes))

    def features(self, rgb: Tensor, flow: Tensor) -> Tensor:
        """``rgb`` [N, 3, h, w] and ``flow`` [N, 2k, h, w] → [N, D]: the RGB stream's half first."""
        return torch.cat([self.rgb_head(self.rgb(rgb)), self.flow_head(self.flow(flow))], dim=1)

    def forward(self, rgb: Tensor, flow: Tensor) -> Tensor:
        """As :meth:`features` → logits [N, classes]."""
        return self.classifier(self.features(rgb, flow))


class FlowNet(nn.Module):
    """A narrow ResNet: [N, 2k, h, w] → [N, 128, h/16, w/16]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        stem, *widths = FLOW_WIDTHS
        layers: list[nn.Module] = [
            nn.Conv2d(channels, stem, 5, 2, padding=2, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        ]
        for inputs, outputs in zip((stem, *widths), widths, strict=False):
            layers.append(ResidualBlock(inputs, outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, flow: Tensor) -> Tensor:
        """See the class."""
        return self.layers(flow)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, the first with stride 2, beside a strided 1×1 one (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] → [N, outputs, ⌈H/2⌉, ⌈W/2⌉]."""
        return self.relu(self.branch(x) + self.shortcut(x))


class Head(nn.Module):
    """[N, channels, H, W] → [N, dim], about zero with unit variance over what it was trained on."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, dim)
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.norm(self.linear(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)))
