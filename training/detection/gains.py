"""What variants of a detector gain over each other, beside what their paper reports: training, table, command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from training.detection.recipe import DetectionRecipe
from training.detection.task import DetectionTask
from training.variants import Scores, spread, train_variants
from whole_files import write_whole

METRICS = ("ap", "ap50", "ap75")


class Variant(NamedTuple):
    """``differs``: from the recipe. ``baseline``: the variant that it is compared with, here and in the paper; None: it
    is one itself. ``paper``: by how many points of AP, AP50 and AP75 it is above that there, and ``where``."""

    differs: tuple[str, ...]
    baseline: str | None = None
    paper: tuple[float, float, float] | None = None
    where: str = ""


def table(variants: Mapping[str, Variant], found: Mapping[str, Sequence[Scores]]) -> str:
    """Markdown: mean and standard deviation over the seeds in points (%), and of what each seed gains over the same of
    the baseline."""
    lines = [
        "| | seeds | AP | AP50 | AP75 | ΔAP | ΔAP50 | ΔAP75 | paper: ΔAP | ΔAP50 | ΔAP75 | of |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, runs in found.items():
        variant = variants[name]
        ours = [spread([100 * run[key] for run in runs]) for key in METRICS]
        pairs = list(zip(runs, found[variant.baseline], strict=False)) if variant.baseline else []
        gains = [spread([100 * (run[key] - base[key]) for run, base in pairs]) if pairs else "" for key in METRICS]
        paper = [f"{value:+.1f}" for value in variant.paper] if variant.paper else ["", "", ""]
        lines.append(f"| {' | '.join([name, str(len(runs)), *ours, *gains, *paper, variant.where])} |")
    return "\n".join(lines) + "\n"


def train_and_compare(
    variants: Mapping[str, Variant],
    recipe: Path,
    data: Sequence[Path],
    out: Path,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
) -> dict[str, list[Scores]]:
    """Train and score what is not done yet, and write ``out/table.md`` anew after each.

    Args:
        recipe: what the variants have in common.
        data: folders of drives, or other data sets with boxes.
        overrides: of the recipe, for all variants.

    Returns:
        By variant, the scores of each seed.

    Raises:
        UserError: recipe and data do not fit each other, or ``out`` cannot be written.
    """
    differs = {name: variant.differs for name, variant in variants.items()}
    found: dict[str, list[Scores]] = {}
    for found in train_variants(
        differs, recipe, DetectionRecipe, lambda checked: DetectionTask(checked, data), out, seeds, overrides
    ):
        write_whole(out / "table.md", table(variants, found).encode())
    return found


def command(
    module: str,
    about: str | None,
    variants: Mapping[str, Variant],
    run: Callable[[Sequence[Path], Path, Sequence[int], Sequence[str]], Mapping[str, Sequence[Scores]]],
) -> None:
    """``python -m MODULE --data … --out … [--seeds N] [--set …]``: ``run`` of them, and its table printed.

    Args:
        about: the module's docstring.
        run: of data, folder, seeds and overrides.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=(about or "").split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of drives")
    parser.add_argument("--out", type=Path, required=True, help="a folder, made where it is missing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], help="override the recipe: length='200 steps'")
    given = parser.parse_args()
    try:
        print(table(variants, run(given.data, given.out, range(given.seeds), given.set)), end="")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
