"""SqueezeSegV3-21 and -53 (Xu et al., *SqueezeSegV3: Spatially-Adaptive Convolution for Efficient Point-Cloud
Segmentation*, ECCV 2020), with SAC-ISK blocks or one of the paper's other variants.

A LiDAR image looks different at different heights, so a spatially-adaptive convolution (SAC) weighs its inputs, per
pixel, channel and kernel position, by an attention map computed from the points' coordinates (Sec. 4, Fig. 4a).

Where the paper is silent this follows the authors' release: layer sizes, the names of the parameters, attention from
x, y, z alone, skip connections detached from the gradient. A state dict of this network is the union of the release's
files, each name prefixed with its file's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.squeezesegv3.sac import UNFOLDING, Coordinates, Sac, SACBlock, coordinates

BLOCKS = {21: (1, 1, 2, 2, 1), 53: (1, 2, 8, 8, 4)}
"""SAC blocks per encoder stage, for the two networks of the paper."""

_ENCODER_CHANNELS = (32, 64, 128, 256, 256, 256)  # input of stage 1, then the output of each stage
_DECODER_CHANNELS = (256, 256, 256, 128, 64, 32)  # input of the decoder, then the output of each stage


def leaky_relu() -> nn.Module:
    return nn.LeakyReLU(0.1, inplace=True)


class EncoderStage(nn.Sequential):
    """SAC blocks, then (stages 1 to 3) a convolution that halves the width."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int, halve: bool, sac: Sac) -> None:
        layers = OrderedDict((f"residual_{i}", SACBlock(in_channels, sac)) for i in range(blocks))
        if halve:
            layers["conv"] = nn.Conv2d(in_channels, out_channels, 3, stride=(1, 2), padding=1, bias=False)
            layers["bn"] = nn.BatchNorm2d(out_channels)
            layers["relu"] = leaky_relu()
        super().__init__(layers)

    def forward(self, at: Coordinates, feature: Tensor) -> Tensor:
        for layer in self:
            feature = layer(at, feature) if isinstance(layer, SACBlock) else layer(feature)
        return feature


class Backbone(nn.Module):
    """Encoder. Width is halved three times, height never (Sec. 5.1)."""

    def __init__(self, blocks: Sequence[int], dropout: float, sac: Sac) -> None:
        super().__init__()
        channels = _ENCODER_CHANNELS
        self._unfolds = sac in UNFOLDING
        self.conv1 = nn.Conv2d(5, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu1 = leaky_relu()
        for i in range(5):
            self.add_module(f"enc{i + 1}", EncoderStage(channels[i], channels[i + 1], blocks[i], halve=i < 3, sac=sac))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``image`` [B, 5, H, W] → feature [B, 256, H, W/8] and the skips at full, half and quarter width."""
        at = self._coordinates(image[:, 1:4])
        with torch.autocast(image.device.type, enabled=False):
            # Leaves and walls differ in centimetres, which bfloat16 cannot say of coordinates 20 m away.
            feature = self.relu1(self.bn1(self.conv1(image)))
        skips = []
        for stage in (self.enc1, self.enc2, self.enc3):
            skips.append(feature.detach())
            feature = self.dropout(stage(at, feature))
            size = (feature.shape[2], feature.shape[3])
            at = self._coordinates(F.interpolate(at.xyz, size, mode="bilinear", align_corners=True))
        for stage in (self.enc4, self.enc5):
            feature = self.dropout(stage(at, feature))
        return feature, skips

    def _coordinates(self, xyz: Tensor) -> Coordinates:
        training = self.training and self._unfolds
        return coordinates(xyz, training=training, synchronised=isinstance(self.bn1, nn.SyncBatchNorm))


class Residual(nn.Module):
    """1×1 convolution to ``hidden`` channels, 3×3 back, and the input added (RangeNet++'s basic block)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, hidden, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.relu1 = leaky_relu()
        self.conv2 = nn.Conv2d(hidden, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = leaky_relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))) + x


class Decoder(nn.Module):
    """Two stages at an eighth of the width, then three that double it and add the encoder's feature."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        for i, stage in enumerate((5, 4, 3, 2, 1)):
            before, after = _DECODER_CHANNELS[i], _DECODER_CHANNELS[i + 1]
            if stage > 3:
                conv = ("conv", nn.Conv2d(before, after, 3, padding=1))
            else:
                conv = ("upconv", nn.ConvTranspose2d(before, after, (1, 4), stride=(1, 2), padding=(0, 1)))
            layers = [
                conv,
                ("bn", nn.BatchNorm2d(after)),
                ("relu", leaky_relu()),
                ("residual", Residual(after, before)),
            ]
            self.add_module(f"dec{stage}", nn.Sequential(OrderedDict(layers)))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, feature: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """The output of each stage, coarsest first: widths W/8, W/8, W/4, W/2, W."""
        features = [self.dec5(feature)]
        features.append(self.dec4(features[-1]))
        for stage, skip in zip((self.dec3, self.dec2, self.dec1), reversed(skips), strict=True):
            features.append(stage(features[-1]) + skip)
        features[-1] = self.dropout(features[-1])
        return features


class SqueezeSegV3(nn.Module):
    """Range image → class scores per pixel.

    Args:
        layers: 21 or 53, as in the paper.
        classes: number of classes, class 0 (unlabelled) among them.
        dropout: of whole channels, after each encoder stage and before each head.
        sac: which attention the blocks have; ``isk`` is the paper's network, the others are its ablation (Table 3).
    """

    def __init__(self, layers: int = 21, classes: int = 20, dropout: float = 0.01, sac: Sac = "isk") -> None:
        super().__init__()
        if layers not in BLOCKS:
            raise ValueError(f"layers={layers}: SqueezeSegV3 has {' or '.join(map(str, BLOCKS))}")
        self.layers, self.classes, self.sac = layers, classes, sac
        self.backbone = Backbone(BLOCKS[layers], dropout, sac)
        self.segmentation_decoder = Decoder(dropout)
        for i, channels in enumerate(_DECODER_CHANNELS[1:]):
            kernel = 3 if i == 4 else 1
            head = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(channels, classes, kernel, padding=kernel // 2))
            self.add_module(f"segmentation_head{i + 1}", head)

    def forward(self, image: Tensor) -> Tensor:
        """``image`` [B, 5, H, W] float32, normalised, W a multiple of 8 → logits [B, classes, H, W]."""
        features = self.segmentation_decoder(*self.backbone(image))
        return self.segmentation_head5(features[-1])

    def side_outputs(self, image: Tensor) -> list[Tensor]:
        """Logits of all five heads for the multi-layer loss (Eq. 5), finest first: widths W, W/2, W/4, W/8, W/8."""
        features = self.segmentation_decoder(*self.backbone(image))
        heads = [self.get_submodule(f"segmentation_head{i + 1}") for i in range(5)]
        return [head(feature) for head, feature in zip(heads, features, strict=True)][::-1]
