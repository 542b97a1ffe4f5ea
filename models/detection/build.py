"""Every detector there is, by the name that recipes, checkpoints and manifests call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from errors import UserError
from models.detection.faster_rcnn.network import FasterRCNN
from models.detection.fcos import FCOS
from models.detection.fssd import FSSD
from models.detection.intertwiner.network import InterNet
from models.detection.retinanet import RetinaNet
from models.detection.rfbnet import RFBNet

DETECTORS: Mapping[str, Callable[..., nn.Module]] = {
    "retinanet-r18": partial(RetinaNet, backbone="resnet18"),
    "retinanet-r50": partial(RetinaNet, backbone="resnet50"),
    "retinanet-vgg16": partial(RetinaNet, backbone="vgg16"),
    "retinanet-mobilenetv2": partial(RetinaNet, backbone="mobilenetv2"),
    "fssd-r18": partial(FSSD, backbone="resnet18"),
    "fssd-vgg16": partial(FSSD, backbone="vgg16"),
    "rfbnet-vgg16": RFBNet,
    "fcos-r18": partial(FCOS, backbone="resnet18"),
    "fcos-r50": partial(FCOS, backbone="resnet50"),
    "fcos-vgg16": partial(FCOS, backbone="vgg16"),
    "faster-rcnn-r18": partial(FasterRCNN, backbone="resnet18"),
    "faster-rcnn-r50": partial(FasterRCNN, backbone="resnet50"),
    "faster-rcnn-r101": partial(FasterRCNN, backbone="resnet101"),
    "internet-r18": partial(InterNet, backbone="resnet18"),
    "internet-r50": partial(InterNet, backbone="resnet50"),
    "internet-r101": partial(InterNet, backbone="resnet101"),
}
"""Each takes the number of classes, and its network's further arguments by name."""


def make_detector(name: str, classes: int, **arguments: Any) -> nn.Module:
    """A detector with random weights.

    Args:
        name: of :data:`DETECTORS`.
        classes: how many; there is none for the background.
        arguments: of the network's constructor.

    Raises:
        UserError: no such detector, or an argument that it does not take.
    """
    if name not in DETECTORS:
        raise UserError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")
    try:
        return DETECTORS[name](classes, **arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: {error}") from error
