"""Detectors rewritten for inference: the same weights and results, fewer layers; and what they give, decoded."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.detection.one_stage import OneStage


def inference_form(network: nn.Module) -> nn.Module:
    """A copy of ``network`` in evaluation mode, each batch norm folded into the convolution before it. It cannot be
    trained.

    The convolution before it is the layer that its module names before it, as all of ours do.
    """
    network = copy.deepcopy(network).eval()
    with torch.no_grad():
        for module in list(network.modules()):
            before = None
            for name, layer in list(module.named_children()):
                if isinstance(layer, nn.BatchNorm2d) and before is not None:
                    setattr(module, before[0], fuse_conv_bn_eval(before[1], layer))
                    setattr(module, name, nn.Identity())
                before = (name, layer) if isinstance(layer, nn.Conv2d) else None
    return network.requires_grad_(False)


def boxes_and_scores(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """What any detector finds, before suppression.

    Args:
        images: [N, 3, H, W], RGB, normalised by ImageNet's mean and deviation.

    Returns:
        Boxes [N, A, 4] in pixels of the input, which may reach over its edge, and scores [N, A, C], 0..1; both float32.
    """
    outputs = [output.float() for output in network(images)]
    if not isinstance(network, OneStage):
        boxes, scores = outputs
        return boxes, scores
    logits, regression, *centerness = outputs
    scores = logits.sigmoid()
    if centerness:  # as models.detection.decoding.fcos
        scores = (scores * centerness[0].sigmoid()[..., None]).sqrt()
    return network.decode(network.priors(*images.shape[2:]), regression), scores
