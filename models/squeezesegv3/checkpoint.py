"""What a training of SqueezeSegV3 saves: weights, and what is needed to go on or to export them."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import torch

from errors import UserError
from models.squeezesegv3.network import SqueezeSegV3

_FAMILY = "squeezesegv3"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """``height`` and ``width``: the range images it was trained for. ``step``: training steps done."""

    layers: int
    classes: int
    height: int
    width: int
    step: int
    network: dict[str, Any]
    optimizer: dict[str, Any]

    def restore(self) -> SqueezeSegV3:
        """The network with these weights."""
        network = SqueezeSegV3(self.layers, self.classes)
        network.load_state_dict(self.network)
        return network.to(memory_format=torch.channels_last)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save({"family": _FAMILY, **vars(checkpoint)}, file)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Nothing in it is run: tensors and plain values only.

    Raises:
        UserError: no such file, or not a checkpoint of this network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: not a checkpoint, or damaged; train or copy it again") from error
    fields = {field.name for field in dataclasses.fields(Checkpoint)}
    if not isinstance(state, dict) or state.pop("family", None) != _FAMILY or not fields <= state.keys():
        raise UserError(f"{path}: not a checkpoint of SqueezeSegV3 as training.segmentation saves it")
    return Checkpoint(**{name: state[name] for name in fields})
