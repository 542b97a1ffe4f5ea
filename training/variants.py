"""Several variants of one recipe trained with equal budgets, once per seed: what comparisons and ablations are made of.

What is done is not done again: stopped, the same call goes on, inside a training too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from training.loop import train
from training.recipe import Recipe, check_recipe, read_recipe
from training.state import LOG, STATE
from training.task import Task
from whole_files import write_whole

Scores = Mapping[str, float]
"""The details of one training's validation at its end."""


def train_variants(
    variants: Mapping[str, Sequence[str]],
    recipe: Path,
    kind: type[Recipe],
    make_task: Callable[[Any], Task],
    out: Path,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
) -> Iterator[dict[str, list[Scores]]]:
    """Train and score what is not done yet: all variants with the first seed, then all with the next.

    Args:
        variants: name → what it overrides in the recipe.
        recipe: what all have in common.
        kind: of the recipe.
        make_task: what a checked recipe trains.
        out: folder, made where it is missing: ``runs/NAME-SEED/``, ``results/NAME-SEED.json``.
        overrides: of the recipe, for all variants.

    Yields:
        After each training: by variant, the scores of the seeds that are done.

    Raises:
        UserError: recipe and data do not fit each other, or ``out`` cannot be written.
    """
    found: dict[str, list[Scores]] = {}
    for seed in seeds:
        for variant, differs in variants.items():
            name = f"{variant.replace(', ', '-').replace(' ', '-').lower()}-{seed}"
            result = out / "results" / f"{name}.json"
            if not result.is_file():
                changes = [*overrides, *differs, f"seed={seed}"]
                scores = train_once(recipe, changes, kind, make_task, out / "runs" / name)
                result.parent.mkdir(exist_ok=True)
                write_whole(result, (json.dumps(scores, indent=1) + "\n").encode())
            found.setdefault(variant, []).append(json.loads(result.read_text(encoding="utf-8")))
            yield found


def train_once(
    recipe: Path, overrides: Sequence[str], kind: type[Recipe], make_task: Callable[[Any], Task], out: Path
) -> Scores:
    """Train by the recipe in that file, or go on with what ``out`` has of it, and score it once, at its end: nothing is
    chosen by its score."""
    values = read_recipe(recipe, overrides)
    values["validation"]["every"] = values["length"]
    checked: Any = check_recipe(values, kind, recipe)
    train(make_task(checked), checked, checked.validation, out, resume=(out / STATE).is_file())
    last = json.loads((out / LOG).read_text(encoding="utf-8").splitlines()[-1])
    return {key.removeprefix("validation/"): value for key, value in last.items() if key.startswith("validation/")}


def spread(values: Sequence[float]) -> str:
    """Mean and, of several, standard deviation."""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{mean(values):.1f}"
