"""A trained BC-GNN in one file: its weights, and what export, evaluation and further training need to know.

How to go on with an interrupted training (optimiser, generators, best score) is the training's own file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from torch import Tensor

from models.bcgnn.network import BCGNN
from models.checkpoint_file import read_checkpoint, write_checkpoint

_FAMILY = "bcgnn"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network.

    Attributes:
        arguments: of :class:`~models.bcgnn.network.BCGNN`, by name.
        step: training steps done.
        network: its state dict.
        style: of the windows it was trained on, ``rescaled`` or ``sliding``.
        step_s: of sliding windows, seconds from one snippet to the next; None: not known, or rescaled.
        trained_on: what it has seen, and which features, in one line for people.
    """

    arguments: dict[str, int | str]
    step: int
    network: dict[str, Tensor]
    style: Literal["rescaled", "sliding"]
    step_s: float | None
    trained_on: str

    def restore(self) -> BCGNN:
        """The network with these weights, in training mode as a new one is."""
        network = BCGNN(**self.arguments)
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
        UserError: no such file, not a checkpoint of this network, or its weights are not those of the network it names.
    """
    return read_checkpoint(path, _FAMILY, Checkpoint, Checkpoint.restore)
