"""SqueezeSegV3 (SAC-ISK) as the paper draws it and the authors' release computes it: what ours is compared with.

Written for comparison alone, independently of :mod:`models.squeezesegv3`: each SAC block unfolds its input to 9·C
channels, batch norm is a layer of its own, and all five heads with their softmax are computed at inference, as the
release does. It loads the same state dicts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BLOCKS = {21: (1, 1, 2, 2, 1), 53: (1, 2, 8, 8, 4)}


class NaiveSAC(nn.Module):
    """Fig. 4a: unfold 3×3, times sigmoid of a 7×7 convolution of the coordinates, 1×1 and 3×3 convolution, sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        unfolded = 9 * channels
        self.attention_x = nn.Sequential(nn.Conv2d(3, unfolded, 7, padding=3), nn.BatchNorm2d(unfolded))
        self.position_mlp_2 = nn.Sequential(
            *(nn.Conv2d(unfolded, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()),
        )

    def forward(self, xyz: Tensor, feature: Tensor) -> Tensor:
        batch, channels, height, width = feature.shape
        unfolded = F.unfold(feature, 3, padding=1).view(batch, 9 * channels, height, width)
        return self.position_mlp_2(unfolded * torch.sigmoid(self.attention_x(xyz))) + feature


class NaiveEncoder(nn.Module):
    """Five stages of SAC blocks; the first three end with a convolution that halves the width."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(5, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        sizes = ((32, 64), (64, 128), (128, 256), (256, 256), (256, 256))
        for i, (before, after) in enumerate(sizes):
            stage = nn.ModuleDict({f"residual_{n}": NaiveSAC(before) for n in range(_BLOCKS[layers][i])})
            if i < 3:
                stage["conv"] = nn.Conv2d(before, after, 3, stride=(1, 2), padding=1, bias=False)
                stage["bn"] = nn.BatchNorm2d(after)
            self.add_module(f"enc{i + 1}", stage)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        xyz, feature, skips = image[:, 1:4], F.leaky_relu(self.bn1(self.conv1(image)), 0.1), []
        for stage in (self.enc1, self.enc2, self.enc3, self.enc4, self.enc5):
            if "conv" in stage:
                skips.append(feature)
            for name, block in stage.items():
                if name.startswith("residual"):
                    feature = block(xyz, feature)
            if "conv" in stage:
                feature = F.leaky_relu(stage["bn"](stage["conv"](feature)), 0.1)
                size = (xyz.shape[2], xyz.shape[3] // 2)
                xyz = F.interpolate(xyz, size, mode="bilinear", align_corners=True)
        return feature, skips


class NaiveDecoderStage(nn.Module):
    """A convolution, or for the last three a transposed one that doubles the width; then a residual block."""

    def __init__(self, before: int, after: int, double: bool) -> None:
        super().__init__()
        if double:
            self.upconv = nn.ConvTranspose2d(before, after, (1, 4), stride=(1, 2), padding=(0, 1))
        else:
            self.conv = nn.Conv2d(before, after, 3, padding=1)
        self.bn = nn.BatchNorm2d(after)
        self.residual = nn.ModuleDict(
            {
                "conv1": nn.Conv2d(after, before, 1, bias=False),
                "bn1": nn.BatchNorm2d(before),
                "conv2": nn.Conv2d(before, after, 3, padding=1, bias=False),
                "bn2": nn.BatchNorm2d(after),
            }
        )

    def forward(self, feature: Tensor) -> Tensor:
        convolution = self.upconv if hasattr(self, "upconv") else self.conv
        feature, r = F.leaky_relu(self.bn(convolution(feature)), 0.1), self.residual
        hidden = F.leaky_relu(r["bn1"](r["conv1"](feature)), 0.1)
        return F.leaky_relu(r["bn2"](r["conv2"](hidden)), 0.1) + feature


class NaiveSqueezeSegV3(nn.Module):
    """``image`` [B, 5, H, W] → class probabilities of the five heads, finest first: widths W, W/2, W/4, W/8, W/8."""

    def __init__(self, layers: int = 21, classes: int = 20) -> None:
        super().__init__()
        self.backbone = NaiveEncoder(layers)
        sizes = {5: (256, 256), 4: (256, 256), 3: (256, 128), 2: (128, 64), 1: (64, 32)}
        self.segmentation_decoder = nn.ModuleDict(
            {f"dec{i}": NaiveDecoderStage(*size, double=i < 4) for i, size in sizes.items()}
        )
        for i, (_, channels) in enumerate(sizes.values()):
            kernel = 3 if i == 4 else 1
            head = nn.Sequential(nn.Dropout2d(0.01), nn.Conv2d(channels, classes, kernel, padding=kernel // 2))
            self.add_module(f"segmentation_head{i + 1}", head)

    def features(self, image: Tensor) -> list[Tensor]:
        """What the heads take, coarsest first."""
        feature, skips = self.backbone(image)
        features = []
        for name, stage in self.segmentation_decoder.items():
            feature = stage(feature)
            if name in ("dec3", "dec2", "dec1"):
                feature = feature + skips.pop()
            features.append(feature)
        return features

    def logits(self, image: Tensor) -> Tensor:
        """The main head alone, without softmax: [B, classes, H, W]. This path is what is counted as the network."""
        return self.segmentation_head5(self.features(image)[-1])

    def forward(self, image: Tensor) -> list[Tensor]:
        heads = [self.get_submodule(f"segmentation_head{i + 1}") for i in range(5)]
        outputs = [head(feature) for head, feature in zip(heads, self.features(image), strict=True)]
        return [F.softmax(output, dim=1) for output in reversed(outputs)]
