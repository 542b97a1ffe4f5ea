"""A file of tensors and plain values: reading one runs nothing. What is in it is each network's own matter."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from errors import UserError


def write_values(path: Path, values: Mapping[str, Any]) -> None:
    """Write the file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    content = io.BytesIO()
    torch.save(dict(values), content)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(content.getbuffer())
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


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
