"""An encoder that answers to its inputs without a training."""

import torch
from torch import nn

from models.two_stream.network import TwoStream
from models.two_stream.snippets import SnippetSettings


def settled(network: TwoStream, settings: SnippetSettings) -> TwoStream:
    """``network`` in evaluation mode, its batch norms with the statistics of random snippets. With those of a new
    network the signal would be lost on its way through 50 layers."""
    generator = torch.Generator().manual_seed(0)
    size = (16, -1, settings.height, settings.width)
    rgb, flow = (
        torch.randn(16 * channels * settings.height * settings.width, generator=generator).reshape(size)
        for channels in (3, settings.flow_channels)
    )
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        network.train()(rgb, flow)
    for layer in norms:
        layer.momentum = 0.1
    return network.eval()
