"""ResNet-18, -50 and -101 (He et al., CVPR 2016) without their classifier.

As in torchvision's weights, a bottleneck's stride is at its 3×3 convolution, not at its first.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.detection.layers import initialise

# Table 1 of the paper: bottleneck or not, blocks per stage.
_DEPTHS = {18: (False, (2, 2, 2, 2)), 50: (True, (3, 4, 6, 3)), 101: (True, (3, 4, 23, 3))}
_WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Module):
    """Images to the maps C2 to C5, at strides of 4, 8, 16 and 32 pixels; see :mod:`models.detection.backbones`.

    Args:
        depth: 18, 50 or 101.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        block, repeats = (Bottleneck, _DEPTHS[depth][1]) if _DEPTHS[depth][0] else (BasicBlock, _DEPTHS[depth][1])
        self.channels = tuple(width * block.expansion for width in _WIDTHS)
        self.strides = (4, 8, 16, 32)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _stage(block, 64, _WIDTHS[0], repeats[0], stride=1)
        self.layer2 = _stage(block, self.channels[0], _WIDTHS[1], repeats[1], stride=2)
        self.layer3 = _stage(block, self.channels[1], _WIDTHS[2], repeats[2], stride=2)
        self.layer4 = _stage(block, self.channels[2], _WIDTHS[3], repeats[3], stride=2)
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W] → C2, C3, C4, C5."""
        c2 = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut: [N, inputs, H, W] → [N, width, ⌈H/stride⌉, ⌈W/stride⌉]."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut: [N, inputs, H, W] → [N, 4·width, ⌈H/stride⌉, ⌈W/stride⌉]."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _stage(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, width: int, repeats: int, stride: int
) -> nn.Sequential:
    rest = [block(width * block.expansion, width, 1) for _ in range(repeats - 1)]
    return nn.Sequential(block(inputs, width, stride), *rest)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The identity, or a projection where the size changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
