"""Matching strategies and losses at equal budget, beside what their papers report.

    python -m training.detection.comparison --data TRAIN VALIDATION --out DIR [--seeds N] [--set KEY=VALUE ...]

trains every variant by ``configs/training/detection-comparison.yaml`` once per seed, scores each once at its end by
COCO's AP, and writes ``DIR/table.md``. What is done is not done again: stopped, the same command goes on.

The papers begin with a backbone that knows ImageNet. Here all variants begin with one that knows the training pictures:
that of a RetinaNet trained on them by the baseline's rule, ``iou``, so that what favour there is, is the baseline's.
Neck and head begin with nothing. Seeds are paired: differences are taken seed by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.checkpoint_file import write_values
from models.detection.checkpoint import load_checkpoint
from training.detection.gains import Variant, command, train_and_compare
from training.detection.recipe import DetectionRecipe
from training.detection.task import DetectionTask
from training.state import LAST
from training.variants import Scores, train_once

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "training" / "detection-comparison.yaml"
BACKBONE = ("loss.matching=iou", "length=1400 steps", "seed=0")
"""How the common backbone is trained."""


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
    """:func:`training.detection.gains.train_and_compare` of all, once the backbone that they begin with is there."""
    backbone = out / "backbone.pth"
    if not backbone.is_file():
        made = out / "runs" / "backbone"
        train_once(RECIPE, [*overrides, *BACKBONE], DetectionRecipe, lambda recipe: DetectionTask(recipe, data), made)
        write_values(backbone, load_checkpoint(made / LAST).restore().backbone.state_dict())
    return train_and_compare(VARIANTS, RECIPE, data, out, seeds, [*overrides, f"model.imagenet={backbone}"])


if __name__ == "__main__":
    command("training.detection.comparison", __doc__, VARIANTS, comparison)
