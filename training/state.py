"""Where a training is: one file that is written whole or not at all, from which it goes on to the same bits.

Everything random in a step follows from the recipe's seed and the step's number (:func:`seed_of`), so the file needs no
states of generators: a training that goes on sees what one that was never stopped would have seen.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from errors import UserError
from training.recipe import first_difference

STATE, RECIPE, LOG, EVENTS, BEST, LAST = "state.pt", "recipe.yaml", "log.jsonl", "tensorboard", "best.pt", "last.pt"
_FORMAT = 1


def seed_of(*parts: int) -> int:
    """A 63-bit seed that depends on all of ``parts`` (not negative), and on nothing else."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def check_folder(out: Path, *, resume: bool, force: bool) -> None:
    """Whether a training may use the folder ``out``. Changes nothing.

    Raises:
        UserError: there is something in it that this training must not touch, or nothing to go on from.
    """
    if resume:
        if not (out / STATE).is_file():
            raise UserError(f"--resume: no {STATE} in {out}; nothing was saved there to go on from")
        return
    if out.is_dir() and any(out.iterdir()):
        if not any((out / name).is_file() for name in (RECIPE, STATE)):
            raise UserError(f"--out {out}: not empty, and not a training's folder; give another one")
        if not force:
            raise UserError(f"--out {out}: holds a training; give --resume to go on with it, --force to replace it")


def make_folder(out: Path) -> None:
    """Make the folder of a new training, without what an earlier one left there.

    Raises:
        UserError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (STATE, RECIPE, LOG, BEST, LAST):
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / EVENTS, ignore_errors=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be made: {error.strerror}; give another folder") from None


def save_state(out: Path, state: dict[str, Any]) -> None:
    """Replace ``out/state.pt``. A kill at any moment leaves the old one or the new one.

    Raises:
        UserError: it cannot be written.
    """
    temporary = out / f"{STATE}.partial"
    try:
        with temporary.open("wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out / STATE)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        temporary.unlink(missing_ok=True)
        raise UserError(f"{out / STATE}: cannot be written: {error}; make room, then give --resume") from error


def load_state(out: Path, recipe: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Read ``out/state.pt``, on the processor.

    Raises:
        UserError: damaged, or of a training with another recipe or other data.
    """
    path = out / STATE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: cannot be read as a training's state; give --force to start anew") from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise UserError(f"{path}: not a training's state, or of another version; give --force to start anew")
    if different := first_difference(state["recipe"], recipe):
        key, before, now = different
        raise UserError(f"{path}: was begun with {key}={before}, not {now}; resume with that, or give another --out")
    if different := first_difference(state["data"], data):
        key, before, now = different
        raise UserError(f"{path}: was begun on other data ({key}: {before}, now {now}); give the same --data")
    return state
