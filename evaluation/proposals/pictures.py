"""The picture of an evaluation of proposals: recall over their number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.proposals.protocol import RecallCurve

_DPI = 110
_INK, _ACCENT = "#1f2933", "#d1495b"


def draw_recall(curve: RecallCurve, listed: Sequence[int], path: Path) -> None:
    """AR over AN with the area that is the AUC, its values at ``listed``, and recall at each temporal IoU."""
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
        axis.annotate(f"{value:.1f}", (at, value), (0, 7), textcoords="offset points", ha="center", fontsize=9,
                      color=_ACCENT, weight="bold")  # fmt: skip
    axis.set_xlim(0, number[-1] * 1.02)
    axis.set_ylim(0, 102)
    axis.set_xlabel("average number of proposals per video (AN)")
    axis.set_ylabel("annotated actions that are found, %")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    title = f"AR@AN, AUC {100 * curve.auc:.1f}: {curve.actions:,} actions in {curve.videos:,} videos"
    axis.set_title(title, loc="left", color=_INK)
    figure.savefig(path, metadata={"Software": None})
