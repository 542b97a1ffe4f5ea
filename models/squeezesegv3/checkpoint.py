"""A trained SqueezeSegV3 in one file: its weights, and what export, evaluation and further training need to know.

How to go on with an interrupted training (optimiser, generators, best score) is the training's own file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoint_file import read_checkpoint, write_checkpoint
from models.range_view.normalize import HDL64_MEANS, HDL64_STDS
from models.range_view.settings import HDL64_FOV_DOWN_DEG, HDL64_FOV_UP_DEG
from models.squeezesegv3.network import SqueezeSegV3

_FAMILY = "squeezesegv3"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network.

    Attributes:
        layers, classes, sac: the arguments of :class:`~models.squeezesegv3.network.SqueezeSegV3`.
        height, width: pixels of the range images it was trained on.
        step: training steps done; 0 where nobody says.
        network: its state dict, the buffers of batch norm and the side heads included.
        label_names: one per class, in the order of the logits.
        trained_on: what it has seen, in one line for people.
        fov_up_deg, fov_down_deg: vertical field of view of those range images.
        means, stds: of range, x, y, z (metres) and remission, for :func:`models.range_view.normalize.normalize`.
    """

    layers: int
    classes: int
    sac: str
    height: int
    width: int
    step: int
    network: dict[str, Tensor]
    label_names: tuple[str, ...]
    trained_on: str
    fov_up_deg: float = HDL64_FOV_UP_DEG
    fov_down_deg: float = HDL64_FOV_DOWN_DEG
    means: tuple[float, ...] = HDL64_MEANS
    stds: tuple[float, ...] = HDL64_STDS

    def __post_init__(self) -> None:
        if len(self.label_names) != self.classes:
            raise ValueError(f"{len(self.label_names)} label names for {self.classes} classes")

    def restore(self) -> SqueezeSegV3:
        """The network with these weights, in training mode as a new one is."""
        network = SqueezeSegV3(self.layers, self.classes, sac=self.sac)
        network.load_state_dict(self.network)
        return network.to(memory_format=torch.channels_last)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_checkpoint(path, _FAMILY, checkpoint)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        UserError: no such file, not a checkpoint of this network, or its weights are not those of the network it names.
    """
    return read_checkpoint(path, _FAMILY, Checkpoint, _check)


def _check(checkpoint: Checkpoint) -> None:
    with torch.device("meta"):
        network = SqueezeSegV3(checkpoint.layers, checkpoint.classes, sac=checkpoint.sac)
    # A plain dict: in a state dict torch would note "assign", and whoever loads it next would lose its parameters.
    network.load_state_dict(dict(checkpoint.network), assign=True)
