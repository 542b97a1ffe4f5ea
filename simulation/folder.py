"""A drive's output folder: whose it is, which frames are there, writing to it and clearing it.

While a drive is being made the folder holds ``.unfinished/`` with the drive's recipe and one record for each frame
whose files are all there. ``drive.json``, the card, is written last: a folder that has it is whole.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from errors import UserError
from simulation.layouts import layout_of
from simulation.recipe import Recipe

CARD, PREVIEW, UNFINISHED = "drive.json", "preview.mp4", ".unfinished"
_RECIPE = "recipe.json"
_FRAME_FILE = re.compile(r"\d{6}(\d{4})?\.(bin|label|png|npz|npy|txt)(\.tmp)?")
_TEXT_FILE = re.compile(r"(calib\w*|times(tamps\w*)?|poses|dataformat)\.txt|0000\.txt|(objects\.jsonl|actions\.json)")
_SEARCHED = ("", "*/", "*_*_*/", "*_*_*/*_sync/", "*_*_*/*_sync/*/", "*_*_*/*_sync/*/data/")


class DriveFolder:
    """The folder ``out`` of one recipe."""

    def __init__(self, out: Path, recipe: Recipe) -> None:
        self.out, self.recipe = out, recipe
        self.layout = layout_of(recipe)
        self.root = out / self.layout.root(recipe)
        self._products = recipe.products()

    def is_finished(self) -> bool:
        """Whether it holds this very drive, whole; False where it is empty, absent, or this drive is unfinished.

        Raises :class:`UserError` where it holds anything else.
        """
        try:
            if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
                return False
        except OSError as error:
            raise UserError(f"{self.out}: cannot be read ({error.strerror}); choose another --out folder") from error
        if not self.out.is_dir():
            raise UserError(f"{self.out}: is a file, not a folder; choose another --out folder")
        if (self.out / CARD).exists():
            self._require_same(self.out / CARD, "another simulated drive")
            self._require_whole()
            return True
        if not (self.out / UNFINISHED).exists():
            raise UserError(f"{self.out}: is not empty and holds no simulated drive; choose another --out folder")
        if (self.out / UNFINISHED / _RECIPE).exists():  # else it was killed before anything was made
            self._require_same(self.out / UNFINISHED / _RECIPE, "another simulated drive, unfinished")
        return False

    def is_marked(self) -> bool:
        """Whether the simulator has put its mark here, whatever the drive."""
        return any((self.out / mark).exists() for mark in (CARD, UNFINISHED))

    def begin(self) -> None:
        """Make the folders and note whose they are."""
        (self.out / UNFINISHED).mkdir(parents=True, exist_ok=True)
        self.write(Path(UNFINISHED, _RECIPE), json.dumps({"parameters": self.recipe.parameters()}).encode())
        for product in self._products:
            (self.out / self.layout.path(self.recipe, product, 0)).parent.mkdir(parents=True, exist_ok=True)

    def missing_frames(self) -> list[int]:
        """The frames that are not, or not wholly, there yet."""
        return [k for k in range(self.recipe.frames) if not (self._record(k).exists() and self._has_files(k))]

    def write_frame(self, frame: int, files: dict[str, bytes], record: dict[str, Any]) -> None:
        """Write a frame's files (by product), then the record that says that they are there."""
        for product, data in files.items():
            self.write(self.layout.path(self.recipe, product, frame), data)
        self.write(self._record(frame).relative_to(self.out), json.dumps(record).encode())

    def records(self) -> Iterable[dict[str, Any]]:
        """The frames' records in order, one at a time."""
        return (json.loads(self._record(k).read_bytes()) for k in range(self.recipe.frames))

    def write(self, path: Path, data: bytes) -> None:
        """Write a whole file, relative to the folder, or none."""
        whole = self.out / path
        part = whole.with_name(whole.name + ".tmp")
        whole.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(whole)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def finish(self, card: dict[str, Any]) -> None:
        """The drive is whole: write its card."""
        self.write(Path(CARD), json.dumps(card, indent=2).encode() + b"\n")
        shutil.rmtree(self.out / UNFINISHED)

    def clear(self) -> None:
        """Remove a simulated drive, whichever it is. What the simulator does not write is left alone."""
        try:
            written = [
                path
                for pattern in _SEARCHED
                for path in self.out.glob(f"{pattern}*")
                if path.is_file() and (_FRAME_FILE.fullmatch(path.name) or _TEXT_FILE.fullmatch(path.name))
            ]
            for path in written:
                path.unlink()
            emptied = {folder for path in written for folder in path.parents if self.out in folder.parents}
            for folder in sorted(emptied, reverse=True):
                if not any(folder.iterdir()):
                    folder.rmdir()
            (self.out / PREVIEW).unlink(missing_ok=True)
            (self.out / CARD).unlink(missing_ok=True)
            shutil.rmtree(self.out / UNFINISHED, ignore_errors=True)
        except OSError as error:
            raise UserError(f"{self.out}: cannot be cleared ({error.strerror}); choose another --out folder") from error

    def require_space(self, frames: int) -> None:
        """Raise :class:`UserError` where the disk has no room for so many more frames."""
        needed = frames * self.recipe.bytes_per_frame()
        existing = next(folder for folder in (self.out, *self.out.absolute().parents) if folder.exists())
        free = shutil.disk_usage(existing).free
        if needed > free:
            raise UserError(
                f"{self.out}: {frames} frames need up to {needed / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB "
                "left; make room, or choose another --out or fewer --frames"
            )

    def problem(self, error: OSError) -> UserError:
        """What went wrong in writing, in words."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return UserError(
                f"{self.out}: the disk is full; make room and run the same command again: it goes on from there"
            )
        return UserError(f"{self.out}: cannot be written ({error.strerror}); choose another --out folder")

    def _record(self, frame: int) -> Path:
        return self.out / UNFINISHED / f"{frame:06d}.json"

    def _has_files(self, frame: int) -> bool:
        return all((self.out / self.layout.path(self.recipe, p, frame)).exists() for p in self._products)

    def _require_whole(self) -> None:
        for k in range(self.recipe.frames):
            if not self._has_files(k):
                raise UserError(f"{self.out}: files of frame {k} are missing; use --force to make the drive again")

    def _require_same(self, card: Path, what: str) -> None:
        try:
            found = _flat(json.loads(card.read_bytes())["parameters"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{card}: is not the card of a simulated drive; choose another --out folder") from error
        wanted = _flat(self.recipe.parameters())
        differing = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
        if differing:
            change = ", ".join(f"{key} {found.get(key)} instead of {wanted.get(key)}" for key in differing)
            raise UserError(f"{self.out}: holds {what} ({change}); choose another --out, or use --force")


def _flat(parameters: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters as dotted keys; sequences as JSON has them."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat
