"""The snippet encoder rewritten for inference: same weights, same features, fewer layers."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.two_stream.network import TwoStream


def inference_form(network: TwoStream) -> TwoStream:
    """A copy of ``network`` in evaluation mode, each batch norm folded into the convolution before it, the classifier
    gone. It cannot be trained."""
    network = copy.deepcopy(network).eval()
    del network.classifier
    with torch.no_grad():
        for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
            for i, layer in enumerate(layers):
                if isinstance(layer, nn.BatchNorm2d):
                    layers[i - 1], layers[i] = fuse_conv_bn_eval(layers[i - 1], layer), nn.Identity()
    return network.requires_grad_(False)
