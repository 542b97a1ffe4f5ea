"""Classifiers of ImageNet as extractors of feature maps.

Every one has ``channels`` and ``strides``, a number per map it gives, finest first; its parameters are named as in
torchvision's state dicts, so public weights load as they are (:mod:`models.detection.backbones.imagenet`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from torch import Tensor, nn

from models.detection.backbones.mobilenetv2 import MobileNetV2Maps
from models.detection.backbones.resnet import ResNet
from models.detection.backbones.vgg import VGG16


class Backbone(Protocol):
    """What necks ask of a backbone."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, H, W], normalised by ImageNet's mean and deviation → [N, channels[l], H/strides[l], W/strides[l]]."""


BACKBONES: Mapping[str, Callable[[], nn.Module]] = {
    "resnet18": partial(ResNet, 18),
    "resnet50": partial(ResNet, 50),
    "resnet101": partial(ResNet, 101),
    "vgg16": VGG16,
    "mobilenetv2": MobileNetV2Maps,
}


def make_backbone(name: str) -> nn.Module:
    """A backbone with random weights.

    Raises:
        ValueError: no such one.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]()
