"""The picture of an evaluation of boxes: precision over recall, by IoU and by class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.detection.protocol import DetectionScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 10
_DPI = 110
_INK, _ACCENT = "#1f2933", "#d1495b"
_RECALL = np.linspace(0, 100, 101)


def draw_precision_recall(scores: DetectionScores, path: Path) -> None:
    """The mean over the classes at each IoU, and beside it each class at IoU 0.5: the ten with most objects."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.4), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    by_iou, by_class = figure.subplots(1, 2)
    _draw_by_iou(by_iou, scores)
    _draw_by_class(by_class, scores)
    for axis in (by_iou, by_class):
        axis.set_xlim(0, 100.5)
        axis.set_ylim(0, 102)
        axis.set_xlabel("recall: annotated objects that are found, %")
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    by_iou.set_ylabel("precision: detections that are right, %")
    figure.savefig(path, metadata={"Software": None})


def _draw_by_iou(axis: Axes, scores: DetectionScores) -> None:
    from matplotlib import colormaps

    there = scores.annotated > 0
    curves = 100 * scores.precision[:, :, there, 0].mean(axis=2)
    colors = colormaps["viridis"].resampled(len(curves) + 1)  # the last is too light for a line on white
    for k, (iou, curve) in enumerate(zip(scores.iou, curves, strict=True)):
        axis.plot(_RECALL, curve, color=colors(k), linewidth=1, label=f"IoU {iou:.2f}: AP {curve.mean():.1f}")
    mean = curves.mean(axis=0)
    axis.fill_between(_RECALL, mean, color=_ACCENT, alpha=0.08)
    axis.plot(_RECALL, mean, color=_ACCENT, linewidth=2.5, label=f"their mean: AP {100 * scores.ap:.1f}")
    objects, classes = int(scores.annotated.sum()), int(there.sum())
    axis.set_title(
        f"Mean over {classes} classes: {objects:,} objects in {scores.pictures:,} pictures", loc="left", color=_INK
    )


def _draw_by_class(axis: Axes, scores: DetectionScores) -> None:
    from matplotlib import colormaps

    most_first = np.argsort(-scores.annotated, kind="stable")
    shown = [c for c in most_first[:MOST_CLASSES] if scores.annotated[c]]
    colors = colormaps["tab10"]
    for k, c in enumerate(shown):
        curve = 100 * scores.precision[0, :, c, 0]
        label = f"{scores.class_names[c]} ({scores.annotated[c]:,}): {curve.mean():.1f}"
        axis.plot(_RECALL, curve, color=colors(k), linewidth=1.6, label=label)
    left_out = int((scores.annotated > 0).sum()) - len(shown)
    which = f"; {left_out} with fewer objects left out" if left_out else ""
    axis.set_title(f"By class at IoU 0.50 (objects): AP50{which}", loc="left", color=_INK)
