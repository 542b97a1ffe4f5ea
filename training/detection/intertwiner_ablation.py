"""The intertwiner's main ablation on simulated drives: Faster R-CNN, the intertwiner, and with optimal transport too.

    python -m training.detection.intertwiner_ablation --data TRAIN VALIDATION --out DIR [--seeds N] [--set KEY=VALUE]

trains every variant by ``configs/training/intertwiner-ablation.yaml`` once per seed, scores each once at its end by
COCO's AP, and writes ``DIR/table.md``. What is done is not done again: stopped, the same command goes on.

All begin with nothing, unless ``--set model.imagenet=FILE`` gives a ResNet-18 that has learnt: ImageNet's, or the
``backbone.pth`` that ``training.detection.comparison`` makes of the same drives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import UserError
from training.detection.recipe import DetectionRecipe
from training.detection.task import DetectionTask
from training.variants import Scores, spread, train_variants
from whole_files import write_whole

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "training" / "intertwiner-ablation.yaml"
METRICS = ("ap", "ap50", "ap75")

VARIANTS = {
    "Faster R-CNN": ("model.name=faster-rcnn-r18",),
    "intertwiner": ("model.name=internet-r18", "model.arguments.source=higher", "model.arguments.alignment=none"),
    "intertwiner and OT": ("model.name=internet-r18",),
}
"""What each differs in from the recipe. The second is the paper's option b, the third its option d."""

PAPER_GAIN = {
    "intertwiner": ("+2.4", "+2.3", "+0.8", "ResNet-50, COCO"),
    "intertwiner and OT": ("+2.0", "+2.3", "+1.8", "ResNet-101, COCO"),
}
"""Over the variant before: Table 2a, whose own line of increases has +2.1 for AP50; and Table 1, from b to d."""


def ablation(
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
    found: dict[str, list[Scores]] = {}
    for found in train_variants(
        VARIANTS, RECIPE, DetectionRecipe, lambda recipe: DetectionTask(recipe, data), out, seeds, overrides
    ):
        write_whole(out / "table.md", table(found).encode())
    return found


def table(found: Mapping[str, Sequence[Scores]]) -> str:
    """Markdown: mean and standard deviation over the seeds in points (%), and of what each seed gains over the variant
    before."""
    lines = [
        "| | seeds | AP | AP50 | AP75 | ΔAP | ΔAP50 | ΔAP75 | paper: ΔAP | ΔAP50 | ΔAP75 | of |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    before: Sequence[Scores] = ()
    for name, runs in found.items():
        ours = [spread([100 * run[key] for run in runs]) for key in METRICS]
        pairs = list(zip(runs, before, strict=False))  # the last seed may be done of one and not yet of the other
        gains = [spread([100 * (run[key] - base[key]) for run, base in pairs]) if pairs else "" for key in METRICS]
        lines.append(f"| {' | '.join([name, str(len(runs)), *ours, *gains, *PAPER_GAIN.get(name, [''] * 4)])} |")
        before = runs
    return "\n".join(lines) + "\n"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.detection.intertwiner_ablation", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of drives")
    parser.add_argument("--out", type=Path, required=True, help="a folder, made where it is missing")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], help="override the recipe: length='200 steps'")
    given = parser.parse_args()
    try:
        print(table(ablation(given.data, given.out, range(given.seeds), given.set)), end="")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
