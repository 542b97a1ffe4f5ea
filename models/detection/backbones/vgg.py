"""VGG-16 (Simonyan and Zisserman, ICLR 2015) as SSD has it (Liu et al., ECCV 2016, Sec. 3).

The last pooling keeps the size, and the first two fully connected layers are convolutions: fc6 with every fourth of its
outputs and every third of its weights in each direction, spread out again by a dilation of 6; fc7 likewise thinned.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from models.detection.layers import initialise

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # outputs of each convolution
_END_OF_STAGE_4 = 23  # layers of ``features`` up to conv4_3 and its ReLU


class VGG16(nn.Module):
    """Images to conv4_3, fc7 and, with ``c5``, a further map; see :mod:`models.detection.backbones`.

    Args:
        c5: whether to add SSD's conv8_2, the map of stride 32 that VGG-16 itself has not got.
    """

    def __init__(self, *, c5: bool = True) -> None:
        super().__init__()
        self.channels = (512, 1024, 512) if c5 else (512, 1024)
        self.strides = (8, 16, 32) if c5 else (8, 16)
        layers: list[nn.Module] = []
        inputs = 3
        for stage in _STAGES:
            for outputs in stage:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = outputs
            layers.append(nn.MaxPool2d(2, 2))
        layers[-1] = nn.MaxPool2d(3, 1, padding=1)
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Sequential(nn.Conv2d(512, 1024, 3, padding=6, dilation=6), nn.ReLU(inplace=True))
        self.fc7 = nn.Sequential(nn.Conv2d(1024, 1024, 1), nn.ReLU(inplace=True))
        if c5:
            self.conv8 = nn.Sequential(
                nn.Conv2d(1024, 256, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 512, 3, 2, padding=1),
                nn.ReLU(inplace=True),
            )
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W] → C3, C4 and, with ``c5``, C5."""
        c3 = self.features[:_END_OF_STAGE_4](images)
        c4 = self.fc7(self.fc6(self.features[_END_OF_STAGE_4:](c3)))
        return (c3, c4, self.conv8(c4)) if len(self.strides) == 3 else (c3, c4)


def thinned_classifier(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """fc6 and fc7 of :class:`VGG16` from the classifier of torchvision's ``vgg16`` (the module's docstring says how).

    Args:
        state: with ``classifier.0`` (4096 outputs of 512·7·7 inputs) and ``classifier.3`` (4096 of 4096).
    """
    fc6 = state["classifier.0.weight"].reshape(4096, 512, 7, 7)
    fc7 = state["classifier.3.weight"].reshape(4096, 4096, 1, 1)
    return {
        "fc6.0.weight": fc6[::4, :, ::3, ::3],
        "fc6.0.bias": state["classifier.0.bias"][::4],
        "fc7.0.weight": fc7[::4, ::4],
        "fc7.0.bias": state["classifier.3.bias"][::4],
    }
