"""The recipe of a training: what every family of models has in common. YAML, each key checked.

A family extends :class:`Recipe` with its model, its data and its losses (:mod:`training.segmentation`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import msgspec
import yaml

from errors import UserError, hint

_DURATION = r"^\d+(\.\d+)? *(steps?|epochs?)$"
Duration = Annotated[str, msgspec.Meta(pattern=_DURATION)]
"""A number of steps or of epochs, such as ``2000 steps`` or ``0.5 epochs``."""

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A group of keys."""


class OptimiserSettings(Settings, kw_only=True):
    """``momentum`` is that of SGD; AdamW has its usual betas (0.9, 0.999)."""

    name: Literal["sgd", "adamw"]
    learning_rate: Positive
    weight_decay: NotNegative = 1e-4
    momentum: Share = 0.9


class ScheduleSettings(Settings, kw_only=True):
    """The learning rate over time: a linear warm-up, then ``decay``.

    ``exponential``: × ``factor`` every epoch. ``cosine``: half a cosine to 0 at the end. ``wsd``: constant, then
    linear to 0 over the last ``final_share`` of all steps.
    """

    decay: Literal["constant", "exponential", "cosine", "wsd"]
    warm_up: Duration = "0 steps"
    factor: Share = 0.995
    final_share: Share = 0.2


class ValidationSettings(Settings, kw_only=True):
    """``patience``: stop when that many validations in a row have not been better than the best one."""

    every: Duration
    patience: Count | None = None


class Recipe(Settings, kw_only=True):
    """What every training has.

    ``batch`` is that of one step, over all GPUs. ``ema``: decay of the moving average of the weights, which is then
    what is validated and saved as a checkpoint. ``readers``: threads that prepare samples. ``threads``: processor
    threads of the network; None leaves it to torch.
    """

    family: str
    length: Duration
    batch: Count
    optimiser: OptimiserSettings
    schedule: ScheduleSettings
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    gradient_clip: Positive | None = None
    ema: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    save_every: Duration = "100 steps"
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    readers: Count = 1
    threads: Count | None = None


OF_THE_MACHINE = frozenset({"readers", "threads"})
"""Keys that a resumed training may change: they say how fast it is, not what it learns."""

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def read_recipe(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The YAML file as it is, with ``key=value`` and ``group.key=value`` overrides put in; not checked yet.

    Raises:
        UserError: no such file, not YAML, not keys and values, or an override that is none.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; there are some in configs/training") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as a recipe: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: not a recipe; it must have keys such as family: and batch:")
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UserError(f"--set {override}: give key=value, such as optimiser.learning_rate=0.02")
        *groups, name = key.split(".")
        target = values
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {override}: {group} is a value, not a group of keys")
        try:
            target[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"--set {override}: {text!r} cannot be read as a value") from None
    return values


def check_recipe(values: dict[str, Any], kind: type[AnyRecipe], path: Path) -> AnyRecipe:
    """``values`` as a recipe of that ``kind``.

    Raises:
        UserError: an unknown key (with the nearest one), a missing one, or a value that does not fit.
    """
    _refuse_unknown(values, kind, path, "")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        key = place.strip("`.")
        problem = problem.replace(f"matching regex {_DURATION!r}", "such as '500 steps' or '2 epochs'")
        raise UserError(f"{path}: {key + ': ' if key else ''}{problem[0].lower()}{problem[1:]}") from error


def _refuse_unknown(values: dict[str, Any], kind: type, path: Path, prefix: str) -> None:
    known = get_type_hints(kind)
    for key, value in values.items():
        if key not in known:
            raise UserError(
                f"{path}: {prefix}{key}: no such key; {hint(f'{prefix}{key}', [prefix + name for name in known])}"
            )
        if isinstance(value, dict) and isinstance(known[key], type) and issubclass(known[key], Settings):
            _refuse_unknown(value, known[key], path, f"{prefix}{key}.")


def steps_in(duration: str, steps_per_epoch: float) -> int:
    """A :data:`Duration` in whole steps, rounded up."""
    amount = float(re.match(r"[\d.]+", duration).group())
    return math.ceil(amount * steps_per_epoch - 1e-9) if "epoch" in duration else math.ceil(amount)


def first_difference(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> tuple[str, Any, Any] | None:
    """The first key in which two recipes (as builtins) differ, with both values; None where they mean the same."""
    for key in {**before, **now}:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if found := first_difference(old, new, f"{prefix}{key}."):
                return found
        elif old != new and prefix + key not in OF_THE_MACHINE:
            return prefix + key, old, new
    return None
