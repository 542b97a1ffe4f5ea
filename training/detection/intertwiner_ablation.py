"""The intertwiner's main ablation on simulated drives: Faster R-CNN, the intertwiner, and with optimal transport too.

    python -m training.detection.intertwiner_ablation --data TRAIN VALIDATION --out DIR [--seeds N] [--set KEY=VALUE]

trains every variant by ``configs/training/intertwiner-ablation.yaml`` once per seed, scores each once at its end by
COCO's AP, and writes ``DIR/table.md``. What is done is not done again: stopped, the same command goes on.

All begin with nothing, unless ``--set model.imagenet=FILE`` gives a ResNet-18 that has learnt: ImageNet's, or the
``backbone.pth`` that ``training.detection.comparison`` makes of the same drives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.detection.gains import Variant, command, train_and_compare
from training.variants import Scores

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "training" / "intertwiner-ablation.yaml"
VARIANTS = {
    "Faster R-CNN": Variant(("model.name=faster-rcnn-r18",)),
    "intertwiner": Variant(
        ("model.name=internet-r18", "model.arguments.source=higher", "model.arguments.alignment=none"),
        "Faster R-CNN",
        (2.4, 2.3, 0.8),
        "ResNet-50, COCO",
    ),
    "intertwiner and OT": Variant(("model.name=internet-r18",), "intertwiner", (2.0, 2.3, 1.8), "ResNet-101, COCO"),
}
"""The second is the paper's option b, the third its option d. Gains: Table 2a, whose own line of increases has +2.1 for
AP50; and Table 1, from b to d."""


def ablation(
    data: Sequence[Path], out: Path, seeds: Sequence[int], overrides: Sequence[str] = ()
) -> dict[str, list[Scores]]:
    """:func:`training.detection.gains.train_and_compare` of all."""
    return train_and_compare(VARIANTS, RECIPE, data, out, seeds, overrides)


if __name__ == "__main__":
    command("training.detection.intertwiner_ablation", __doc__, VARIANTS, ablation)
