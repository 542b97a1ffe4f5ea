"""Matching strategies and losses at equal budget, beside what their papers report.

    python -m training.detection.comparison --data TRAIN VALIDATION --out DIR [--seeds N] [--set KEY=VALUE ...]

trains every variant by ``configs/training/detection-comparison.yaml`` once per seed, scores each once at its end by
COCO's AP, and writes ``DIR/table.md``. What is done is not done again: stopped, the same command goes on.

The papers begin with a backbone that knows ImageNet. Here all variants begin with one that knows the training pictures:
that of a RetinaNet trained on them by the baseline's rule, ``iou``, so that what favour there is, is the baseline's.
Neck and head begin with nothing. Seeds are paired: differences are taken seed by seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from models.checkpoint_file import write_values
from models.detection.checkpoint import load_checkpoint
from training.detection.recipe import DetectionRecipe
from training.detection.task import DetectionTask
from training.state import LAST
from training.variants import Scores, spread, train_once, train_variants
from whole_files import write_whole

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "training" / "detection-comparison.yaml"
METRICS = ("ap", "ap50", "ap75")


BACKBONE = ("loss.matching=iou", "length=1400 steps", "seed=0")
"""How the common backbone is trained."""


class Variant(NamedTuple):
    """``differs``: from the recipe. ``baseline``: the variant that it is compared with, here and in the paper; None: it
    is one itself. ``paper``: by how many points of AP, AP50 and AP75 it is above that there, and ``where``."""

    differs: tuple[str, ...]
    baseline: str | None = None
    paper: tuple[float, float, float] | None = None
    where: str = ""


def _retinanet(matching: str, *more: str) -> tuple[str, ...]:
    return ("model.name=retinanet-r18", f"loss.matching={matching}", *more)


def _fcos(matching: str, *more: str) -> tuple[str, ...]:
    # A point detector has no anchors to scale.
    fcos = "model.arguments={channels: 64, depth: 2, norm: batch, levels: 4"
    return ("model.name=fcos-r18", f"loss.matching={matching}", ", ".join([fcos, *more]) + "}")


_VOC = "RetinaNet-R18, VOC07"
VARIANTS = {
    "RetinaNet, iou": Variant(_retinanet("iou")),
    "RetinaNet, localize_to_classify": Variant(
        _retinanet("localize_to_classify"), "RetinaNet, iou", (2.3, 0.7, 2.4), _VOC
    ),
    "RetinaNet, classify_to_localize": Variant(
        _retinanet("classify_to_localize"), "RetinaNet, iou", (0.8, 0.1, 1.0), _VOC
    ),
    "RetinaNet, mutual_guidance": Variant(_retinanet("mutual_guidance"), "RetinaNet, iou", (2.4, 1.1, 2.6), _VOC),
    "RetinaNet, ltm": Variant(
        _retinanet("ltm", "model.arguments.prior_probability=0.02"),
        "RetinaNet, iou",
        (3.5, 2.9, 3.6),
        "RetinaNet-R50, COCO",
    ),
    "FCOS, fcos": Variant(_fcos("fcos")),
    "FCOS, mutual_guidance": Variant(_fcos("mutual_guidance"), "FCOS, fcos", (1.9, 0.7, 2.2), "FCOS-R18, VOC07"),
    "FCOS, ltm_af": Variant(
        _fcos("ltm_af", "centerness: false", "prior_probability: 0.02"),
        "FCOS, fcos",
        (1.9, 3.0, 1.6),
        "FCOS-R101, COCO",
    ),
}
"""Mutual Guidance: Table 1 of the paper and of its supplement. LTM: Tables 1 and 7."""


def comparison(
    data: Sequence[Path], out: Path, seeds: Sequence[int], overrides: Sequence[str] = ()
) -> dict[str, list[Scores]]:
    """Train and score what is not done yet, and write ``out/table.md`` anew after each.

    Args:
        data: folders of drives, or other data sets with boxes.
        overrides: of the recipe, for all variants.

    Returns:
        By variant, the scores of each seed.

    Raises:
        UserError: recipe and data do not fit each other, or ``out`` cannot be written.
    """

    def make_task(recipe: DetectionRecipe) -> DetectionTask:
        return DetectionTask(recipe, data)

    backbone = out / "backbone.pth"
    if not backbone.is_file():
        train_once(RECIPE, [*overrides, *BACKBONE], DetectionRecipe, make_task, out / "runs" / "backbone")
        write_values(backbone, load_checkpoint(out / "runs" / "backbone" / LAST).restore().backbone.state_dict())
    variants = {name: (*variant.differs, f"model.imagenet={backbone}") for name, variant in VARIANTS.items()}
    found: dict[str, list[Scores]] = {}
    for found in train_variants(variants, RECIPE, DetectionRecipe, make_task, out, seeds, overrides):
        write_whole(out / "table.md", table(found).encode())
    return found


def table(found: Mapping[str, Sequence[Scores]]) -> str:
    """Markdown: mean and standard deviation over the seeds in points (%), and of the differences from the baseline."""
    lines = [
        "| | seeds | AP | AP50 | AP75 | ΔAP | ΔAP50 | ΔAP75 | paper: ΔAP | ΔAP50 | ΔAP75 | of |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, runs in found.items():
        variant = VARIANTS[name]
        ours = [spread([100 * run[key] for run in runs]) for key in METRICS]
        above = ["", "", ""]
        if variant.baseline is not None:
            pairs = list(zip(runs, found[variant.baseline], strict=False))
            above = [spread([100 * (run[key] - base[key]) for run, base in pairs]) for key in METRICS]
        paper = [f"{value:+.1f}" for value in variant.paper] if variant.paper else ["", "", ""]
        lines.append(f"| {' | '.join([name, str(len(runs)), *ours, *above, *paper, variant.where])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.detection.comparison", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of drives")
    parser.add_argument("--out", type=Path, required=True, help="a folder, made where it is missing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], help="override the recipe: length='200 steps'")
    given = parser.parse_args()
    try:
        print(table(comparison(given.data, given.out, range(given.seeds), given.set)), end="")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
