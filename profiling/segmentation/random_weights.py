"""Weights for a network that nobody has trained, as far from degenerate as random ones can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from formats.labels import load_label_table
from models.squeezesegv3.checkpoint import Checkpoint, save_checkpoint
from models.squeezesegv3.network import SqueezeSegV3


def write_random_checkpoint(path: Path, layers: int, image: np.ndarray) -> None:
    """Save a SqueezeSegV3 of random weights whose batch norm has the statistics of ``image`` [1, 5, H, W].

    With the statistics of an untrained batch norm (0 and 1) the features of a deep network would fade or explode, and a
    comparison of labels between precisions would say nothing.
    """
    torch.manual_seed(layers)
    network = SqueezeSegV3(layers, dropout=0.0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # take over what it sees
    with torch.no_grad():
        network.train()(torch.from_numpy(image))
    names = load_label_table().names
    checkpoint = Checkpoint(
        layers=layers,
        classes=len(names),
        sac="isk",
        height=image.shape[2],
        width=image.shape[3],
        step=0,
        network=network.state_dict(),
        label_names=names,
        trained_on="nothing: random weights",
    )
    save_checkpoint(path, checkpoint)
