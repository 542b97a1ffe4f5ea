"""Which recordings are trained on, and which are validated on."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from errors import UserError


def find_drives(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The recordings with labels in some folders, by name: a name can be in several folders.

    A folder is a SemanticKITTI root (``sequences/NN``), one recording (``velodyne/`` and ``labels/``), or has some.

    Raises:
        UserError: a folder that is not there, or has none.
    """
    drives: dict[str, list[Path]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--data {folder}: no such folder; give SemanticKITTI, a drive or a folder of drives")
        inside = folder / "sequences" if (folder / "sequences").is_dir() else folder
        found = [folder] if _has_labels(folder) else sorted(path for path in inside.iterdir() if _has_labels(path))
        if not found:
            raise UserError(f"--data {folder}: no velodyne/ with labels/ beside it, there or one folder down")
        for drive in found:
            drives.setdefault(drive.absolute().name, []).append(drive)
    return drives


def split(
    drives: dict[str, list[Path]], training: Sequence[str], validation: Sequence[str]
) -> tuple[list[Path], list[Path]]:
    """The drives whose names match patterns such as ``08`` or ``street-*``. What is validated on is not trained on.

    Raises:
        UserError: a pattern that no drive matches, or nothing left to train on.
    """
    for key, patterns in (("data.training", training), ("data.validation", validation)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in drives):
                raise UserError(f"{key}: no drive {pattern!r} in --data; there are {', '.join(sorted(drives))}")
    held_out = {name for name in drives if any(fnmatchcase(name, pattern) for pattern in validation)}
    chosen = {name for name in drives if any(fnmatchcase(name, pattern) for pattern in training)} - held_out
    if not chosen:
        raise UserError(f"data.training: {', '.join(training)}: all of it is validated on; nothing is left to train on")
    return [drive for name in sorted(chosen) for drive in drives[name]], [
        drive for name in sorted(held_out) for drive in drives[name]
    ]


def _has_labels(folder: Path) -> bool:
    return (folder / "velodyne").is_dir() and (folder / "labels").is_dir()
