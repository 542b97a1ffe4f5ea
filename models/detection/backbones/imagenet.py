"""Public weights of a backbone, from a local file: a state dict named as torchvision names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from errors import UserError
from models.checkpoint_file import read_values
from models.detection.backbones.mobilenetv2 import MobileNetV2Maps
from models.detection.backbones.vgg import VGG16, thinned_classifier
from models.mobilenetv2 import in_torchvisions_names


def load_imagenet(backbone: nn.Module, path: Path) -> tuple[str, ...]:
    """Give a backbone the weights of a file.

    What ImageNet does not teach keeps its random weights: the map C5 that SSD adds to VGG-16, and fc6 and fc7 where the
    file has no classifier to make them from.

    Args:
        backbone: of :mod:`models.detection.backbones`.
        path: a state dict of torchvision's ``resnet18``, ``resnet50``, ``resnet101``, ``vgg16`` or
            ``mobilenet_v2``; the last also in its author's older names.

    Returns:
        Names of the file's entries that were left out: of the classifier. To be shown to whoever gave the file.

    Raises:
        UserError: no such file, not a state dict, or one of another network.
    """
    state = read_values(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: not a state dict; save one with torch.save(network.state_dict(), path)")
    if isinstance(backbone, MobileNetV2Maps):
        try:
            state = in_torchvisions_names(state) | {n: v for n, v in state.items() if not n.startswith("features.")}
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error
    ours = backbone.state_dict()
    found = {name: value for name, value in state.items() if name in ours}
    left_out = [name for name in state if name not in ours]
    optional: tuple[str, ...] = ("num_batches_tracked",)  # files older than the counter have none
    if isinstance(backbone, VGG16):
        optional += ("conv8.", "fc6.", "fc7.")
        if "classifier.0.weight" in state:
            _check(path, state, _CLASSIFIER_SHAPES)
            found |= thinned_classifier(state)
            left_out = [name for name in left_out if name not in _CLASSIFIER_SHAPES]
    required = {n: v.shape for n, v in ours.items() if n in found or not any(part in n for part in optional)}
    _check(path, found, required)
    for name in left_out:
        if not name.startswith(("fc.", "classifier.", _LAST_OF_MOBILENETV2)):
            raise UserError(
                f"{path}: has {name}, which this backbone has not: the weights of another, perhaps deeper one"
            )
    backbone.load_state_dict(found, strict=False)
    return tuple(left_out)


_LAST_OF_MOBILENETV2 = "features.18."
"""Its widest convolution, which only its classifier needs; no layer of VGG-16 that has weights is called so."""

_CLASSIFIER_SHAPES = {
    "classifier.0.weight": (4096, 512 * 7 * 7),
    "classifier.0.bias": (4096,),
    "classifier.3.weight": (4096, 4096),
    "classifier.3.bias": (4096,),
}


def _check(path: Path, found: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse what has not these shapes."""
    for name, shape in shapes.items():
        if name not in found:
            raise UserError(f"{path}: no {name}: not the weights of this backbone; give torchvision's of the same name")
        if found[name].shape != tuple(shape):
            theirs, wanted = ("x".join(map(str, s)) for s in (found[name].shape, shape))
            raise UserError(f"{path}: {name} is {theirs}, not {wanted}: the weights of another backbone")
