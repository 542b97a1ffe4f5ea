"""Which recordings, or other named parts of a data set, are trained on, and which are validated on."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from errors import UserError
from training.recipe import Settings

_LISTED = 12


class Named(Protocol):
    """A drive or another part of a data set."""

    @property
    def name(self) -> str:
        """By which patterns choose it."""


Drive = TypeVar("Drive", bound=Named)


class DataSettings(Settings, kw_only=True):
    """Patterns of the names of drives: ``08``, ``street-*``. What is validated on is not trained on."""

    training: tuple[str, ...] = ("*",)
    validation: tuple[str, ...] = ()


def split(
    drives: Sequence[Drive], training: Sequence[str], validation: Sequence[str]
) -> tuple[list[Drive], list[Drive]]:
    """The drives whose names match patterns such as ``08`` or ``street-*``. What is validated on is not trained on.

    Both by name; several drives can have one name, in different folders.

    Raises:
        UserError: a pattern that no drive matches, or nothing left to train on.
    """
    by_name = sorted(drives, key=lambda drive: drive.name)
    for key, patterns in (("data.training", training), ("data.validation", validation)):
        for pattern in patterns:
            if not any(_matches(drive, [pattern]) for drive in drives):
                raise UserError(f"{key}: nothing named {pattern!r} in --data; there are {_listed(by_name)} with labels")
    held_out = [drive for drive in by_name if _matches(drive, validation)]
    chosen = [drive for drive in by_name if _matches(drive, training) and drive not in held_out]
    if not chosen:
        raise UserError(f"data.training: {', '.join(training)}: all of it is validated on; nothing is left to train on")
    return chosen, held_out


def _listed(drives: Sequence[Named]) -> str:
    names = list(dict.fromkeys(drive.name for drive in drives))
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _matches(drive: Named, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(drive.name, pattern) for pattern in patterns)
