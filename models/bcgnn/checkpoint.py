"""A trained BC-GNN in one file: its weights, and what export, evaluation and further training need to know.

How to go on with an interrupted training (optimiser, generators, best score) is the training's own file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from errors import UserError
from models.bcgnn.network import BCGNN
from models.checkpoint_file import read_values, write_values

_FAMILY = "bcgnn"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network.

    Attributes:
        arguments: of :class:`~models.bcgnn.network.BCGNN`, by name.
        step: training steps done.
        network: its state dict.
        trained_on: what it has seen, and which features, in one line for people.
    """

    arguments: dict[str, int | str]
    step: int
    network: dict[str, Tensor]
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
    write_values(path, {"family": _FAMILY, **vars(checkpoint)})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        UserError: no such file, not a checkpoint of this network, or its weights are not those of the network it names.
    """
    state = read_values(path)
    expected = {field.name for field in dataclasses.fields(Checkpoint)}
    if not isinstance(state, dict) or state.pop("family", None) != _FAMILY:
        raise UserError(f"{path}: not a checkpoint of BC-GNN; give one that run.py train wrote")
    if state.keys() != expected:
        different = ", ".join(sorted(map(str, state.keys() ^ expected)))
        raise UserError(f"{path}: a checkpoint of another version of Rangecast ({different}); train it again")
    checkpoint = Checkpoint(**state)
    try:
        checkpoint.restore()
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged: {' '.join(str(error).split())[:300]}") from error
    return checkpoint
