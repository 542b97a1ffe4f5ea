"""A trained snippet encoder in one file: its weights, how a video becomes its inputs, and what it was taught.

How to go on with an interrupted training (optimiser, generators, best score) is the training's own file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from models.checkpoint_file import read_checkpoint, write_checkpoint
from models.two_stream.network import TwoStream
from models.two_stream.snippets import SnippetSettings

_FAMILY = "two-stream"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One trained network.

    Attributes:
        arguments: of :class:`~models.two_stream.network.TwoStream`, by name.
        snippet: of :class:`~models.two_stream.snippets.SnippetSettings`, by name.
        step: training steps done.
        network: its state dict.
        label_names: one per class, in the order of the logits.
        trained_on: what it has seen, in one line for people.
    """

    arguments: dict[str, int]
    snippet: dict[str, float]
    step: int
    network: dict[str, Tensor]
    label_names: tuple[str, ...]
    trained_on: str

    @property
    def settings(self) -> SnippetSettings:
        """How a video becomes the network's inputs."""
        return SnippetSettings(**self.snippet)

    def restore(self) -> TwoStream:
        """The network with these weights, in training mode as a new one is."""
        network = TwoStream(**self.arguments)
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
    return read_checkpoint(path, _FAMILY, Checkpoint, _check)


def _check(checkpoint: Checkpoint) -> None:
    settings, network = checkpoint.settings, checkpoint.restore()
    if (settings.flow_channels, len(checkpoint.label_names)) != (
        network.arguments["flow_channels"],
        network.arguments["classes"],
    ):
        raise ValueError("its snippets or labels are not those of its network")
