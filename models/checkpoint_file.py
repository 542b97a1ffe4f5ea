"""A file of tensors and plain values: reading one runs nothing. What is in it is each network's own matter."""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from errors import UserError
from whole_files import write_whole

Checkpoint = TypeVar("Checkpoint")


def write_values(path: Path, values: Mapping[str, Any]) -> None:
    """Write the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    content = io.BytesIO()
    torch.save(dict(values), content)
    try:
        write_whole(path, content.getbuffer())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def read_values(path: Path) -> Any:
    """What is in the file, its tensors on the CPU.

    Raises:
        UserError: no such file, or not one of tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: not a checkpoint, or damaged; train, import or copy it again") from error


def write_checkpoint(path: Path, family: str, checkpoint: Any) -> None:
    """Write the fields of a dataclass, and whose they are, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_values(path, {"family": family, **vars(checkpoint)})


def read_checkpoint(
    path: Path, family: str, kind: type[Checkpoint], restore: Callable[[Checkpoint], object]
) -> Checkpoint:
    """Read what :func:`write_checkpoint` wrote.

    Args:
        path: the file.
        family: whose checkpoint it must be.
        kind: its dataclass.
        restore: makes the network of it; raises RuntimeError, TypeError or ValueError where that cannot be done.

    Raises:
        UserError: no such file, not a checkpoint of this family, or one that ``restore`` makes no network of.
    """
    state = read_values(path)
    expected = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(state, dict) or state.pop("family", None) != family:
        raise UserError(f"{path}: not a checkpoint of {family}; give one that run.py train or run.py import wrote")
    if state.keys() != expected:
        different = ", ".join(sorted(map(str, state.keys() ^ expected)))
        raise UserError(f"{path}: a checkpoint of another version of Rangecast ({different}); train or import it again")
    try:
        checkpoint = kind(**state)
        restore(checkpoint)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged: {' '.join(str(error).split())[:300]}") from error
    return checkpoint
