"""Optimisation profiles: for each input of a size that varies, the smallest, usual and largest shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import UserError, hint

Shape = tuple[int, ...]
Profile = tuple[Shape, Shape, Shape]


def check_profiles(graph: Path, inputs: Mapping[str, Shape], profiles: Mapping[str, Profile]) -> None:
    """Compare profiles (MIN, OPT, MAX) with a graph's ``inputs``, whose varying sizes are −1.

    Raises:
        UserError: an input has sizes that vary and no profile; a profile is of no input, of another rank, changes a
            size that is fixed, or is not in order.
    """
    for name in profiles:
        if name not in inputs:
            raise UserError(f"{graph}: has no input {name!r} to give a profile; {hint(name, inputs)}")
    for name, shape in inputs.items():
        if -1 in shape and name not in profiles:
            raise UserError(
                f"{graph}: sizes of input {name} {_text(shape)} vary; give it a profile, such as --batch 1:4:8"
            )
        for profiled in profiles.get(name, ()):
            matches = len(profiled) == len(shape) and all(
                size > 0 and fixed in (-1, size) for size, fixed in zip(profiled, shape, strict=True)
            )
            if not matches:
                raise UserError(f"{graph}: profile {_text(profiled)} is no shape of input {name} {_text(shape)}")
        if name in profiles and not all(low <= usual <= high for low, usual, high in zip(*profiles[name], strict=True)):
            in_words = ":".join(_text(profiled) for profiled in profiles[name])
            raise UserError(f"{graph}: profile {in_words} of input {name} is not in order; give MIN:OPT:MAX")


def add_profiles(builder: Any, config: Any, profiles: Mapping[str, Profile]) -> None:
    """Add the one profile of an engine to ``config``. ``profiles`` were checked."""
    if profiles:
        profile = builder.create_optimization_profile()
        for name, (smallest, usual, largest) in profiles.items():
            profile.set_shape(name, smallest, usual, largest)
        config.add_optimization_profile(profile)


def _text(shape: Shape) -> str:
    return "x".join("?" if size == -1 else str(size) for size in shape)
