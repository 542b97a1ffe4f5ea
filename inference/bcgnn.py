"""What the manifest of a BC-GNN must say: whoever makes proposals with one asks here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from errors import UserError
from inference.manifest import Manifest, WindowProfile

FAMILY = "bcgnn"
_SAME_STEP = 0.05


class BCGNNModel(NamedTuple):
    """``dimension``: values of a snippet's features. ``length``: snippets of a window. ``windows``: those it learnt."""

    dimension: int
    length: int
    windows: WindowProfile


def describe(folder: str | Path, manifest: Manifest) -> BCGNNModel:
    """What is needed of ``manifest`` to make proposals with the model in ``folder``.

    The graph takes ``features`` [1, D, l_w] and gives ``start`` and ``end`` [1, l_w] and ``content`` [1, l_w, l_w],
    float32.

    Raises:
        UserError: the model is of another kind.
    """

    def wrong(what: str) -> UserError:
        return UserError(f"{folder}: {what}; give the folder of an exported bcgnn model")

    if manifest.family != FAMILY:
        raise wrong(f"is a model of family {manifest.family!r}, not {FAMILY!r}")
    (window, *others) = manifest.inputs
    if others or window.name != "features" or len(window.shape) != 3:
        raise wrong(f"takes {', '.join(map(str, manifest.inputs))}, not features [1, D, l_w]")
    batch, dimension, length = window.shape
    if batch != 1 or not isinstance(dimension, int) or not isinstance(length, int):
        raise wrong(f"takes {window}, not one window of a fixed size")
    expected = {"start": (1, length), "end": (1, length), "content": (1, length, length)}
    if {tensor.name: tensor.shape for tensor in manifest.outputs} != expected:
        raise wrong(f"gives {', '.join(map(str, manifest.outputs))}, not start, end and content of its window")
    if manifest.windows is None:
        raise wrong("does not say on which windows it was trained; export it again")
    return BCGNNModel(dimension, length, manifest.windows)


def require_step(folder: str | Path, windows: WindowProfile, step_s: float) -> None:
    """Raise :class:`UserError` where snippets ``step_s`` apart are not what the model in ``folder`` was trained on: it
    would take an action of 2 s for one of 6."""
    if windows.step_s is not None and abs(step_s / windows.step_s - 1) > _SAME_STEP:
        raise UserError(
            f"{folder}: was trained on a snippet every {windows.step_s:g} s, these are {step_s:g} s apart; make "
            f"features with run.py features --stride {windows.step_s:g}, or use another model"
        )
