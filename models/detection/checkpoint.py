"""A trained detector in one file: its weights, how a picture becomes its input, and what it was taught.

How to go on with an interrupted training (optimiser, generators, best score) is the training's own file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from errors import UserError
from models.checkpoint_file import read_checkpoint, write_checkpoint
from models.detection.build import make_detector

_FAMILY = "detector"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network.

    Attributes:
        name: of :data:`models.detection.build.DETECTORS`.
        arguments: of its network, by name; ``classes`` is one of them.
        size: height and width of its input, px.
        fit: how a picture of another size becomes one of this (:mod:`models.detection.fitting`).
        class_names: one per class, in the order of the logits.
        step: training steps done.
        network: its state dict.
        trained_on: what it has seen, in one line for people.
    """

    name: str
    arguments: dict[str, Any]
    size: tuple[int, int]
    fit: str
    class_names: tuple[str, ...]
    step: int
    network: dict[str, Tensor]
    trained_on: str

    def restore(self) -> nn.Module:
        """The network with these weights, in training mode as a new one is."""
        network = make_detector(self.name, **self.arguments)
        network.load_state_dict(self.network)
        return network


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_checkpoint(path, _FAMILY, checkpoint)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        UserError: no such file, not a checkpoint of a detector, or its weights are not those of the network it names.
    """
    return read_checkpoint(path, _FAMILY, Checkpoint, _check)


def _check(checkpoint: Checkpoint) -> None:
    try:
        network = checkpoint.restore()
    except UserError as error:  # of a name or argument: the reader adds whose they are
        raise ValueError(str(error)) from error
    if len(checkpoint.class_names) != network.arguments["classes"]:
        raise ValueError("its class names are not those of its network")
