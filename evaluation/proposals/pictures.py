"""The picture of an evaluation of proposals: recall over their number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.proposals.protocol import RecallCurve

_DPI = 110
_INK, _MUTED, _ACCENT = "#1f2933", "#8a97a5", "#d1495b"
_ON_WHITE = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}


def draw_recall(curve: RecallCurve, listed: Sequence[int], path: Path) -> None:
    """AR over AN with the area that is the AUC, its values at ``listed``, and recall at each temporal IoU.

    Where the predictions are fewer than the AN at the end, a line says from where on there are no more.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    number, average = curve.average_number, 100 * curve.average_recall
    colors = colormaps["viridis"].resampled(len(curve.tiou) + 1)  # the last is too light for a line on white
    for k, (threshold, recall) in enumerate(zip(curve.tiou, curve.recall, strict=True)):
        axis.plot(number, 100 * recall, color=colors(k), linewidth=1, label=f"tIoU {threshold:.2f}")
    axis.fill_between(number, average, color=_ACCENT, alpha=0.08)
    axis.plot(number, average, color=_ACCENT, linewidth=2.5, label="AR: their mean")
    for at in listed:
        value = 100 * curve.at(at).mean()
        axis.plot(at, value, "o", color=_ACCENT, markersize=5)
        axis.annotate(f"{value:.1f}", (at, value), (4, -14), textcoords="offset points", fontsize=9, color=_ACCENT,
                      weight="bold", ha="right" if at == number[-1] else "left", bbox=_ON_WHITE)  # fmt: skip
    if (there := curve.used / curve.videos) < number[-1]:
        axis.axvline(there, color=_MUTED, linestyle="--", linewidth=1)
        axis.annotate("no more proposals from here on", (there, 1.5), (4, 0), textcoords="offset points",
                      fontsize=8, color=_MUTED, rotation=90, va="bottom")  # fmt: skip
    axis.set_xlim(0, number[-1] * 1.02)
    axis.set_ylim(0, 102)
    axis.set_xlabel("average number of proposals per video (AN)")
    axis.set_ylabel("annotated actions that are found, %")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    title = f"AR@AN, AUC {100 * curve.auc:.1f}: {curve.actions:,} actions in {curve.videos:,} videos"
    axis.set_title(title, loc="left", color=_INK)
    figure.savefig(path, metadata={"Software": None})
