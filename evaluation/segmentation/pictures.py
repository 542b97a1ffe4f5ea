"""Pictures of an evaluation: which class is taken for which, and how scores fall with distance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.segmentation.protocol import DISTANCE_EDGES_M, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 110
_INK, _MUTED, _ACCENT = "#1f2933", "#8a97a5", "#d1495b"


def distance_names() -> list[str]:
    """The bins of distance in metres: ``0-10``, …, ``> 50``."""
    return [
        f"{lower:.0f}-{upper:.0f}" if np.isfinite(upper) else f"> {lower:.0f}"
        for lower, upper in itertools.pairwise(DISTANCE_EDGES_M)
    ]


def draw_confusion(counts: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Of the points of each true class (row), the percentage that was given each class (column).

    ``counts`` [C, C] of :func:`evaluation.segmentation.protocol.confusion`; class 0 has a column, for what was missed,
    and no row, since it is not scored. Values below 0.5 % are left blank; a class without points has an empty row.
    """
    counts = counts[1:]
    points = counts.sum(axis=1)
    percent = 100 * counts / np.maximum(points, 1)[:, None]
    figure = _new_figure(13, 9.5)
    axis = figure.subplots()
    _heat_map(axis, np.where(points[:, None] > 0, percent, np.nan), blank_below=0.5)
    _frame_right_ones(axis, len(points))
    rows = [f"{name}  ({short(n)})" for name, n in zip(names[1:], points, strict=True)]
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(range(len(names)), [f"{names[0]} (missed)", *names[1:]], rotation=45, ha="right")
    axis.set_ylabel("true class (points)")
    axis.set_xlabel("predicted class")
    axis.set_title(
        "Of the points of each true class, % that was given each class; framed: right", loc="left", color=_INK
    )
    figure.savefig(path, metadata={"Software": None})


def draw_iou_by_distance(whole: Scores, parts: Sequence[Scores], names: Sequence[str], path: Path) -> None:
    """mIoU over distance as a curve, and below it the IoU of each class in each bin. ``parts``: one per bin."""
    figure = _new_figure(9.5, 11.5)
    curve, map_ = figure.subplots(2, height_ratios=(1, 2.6))
    place = np.arange(len(parts))
    shown = [part.labelled > 0 for part in parts]
    present = [100 * part.miou_present if ok else np.nan for part, ok in zip(parts, shown, strict=True)]
    official = [100 * part.miou if ok else np.nan for part, ok in zip(parts, shown, strict=True)]
    curve.plot(place, present, "o-", color=_ACCENT, label="mIoU over the classes present in the bin")
    curve.plot(place, official, "o--", color=_MUTED, label="mIoU over all classes (an absent one counts as 0)")
    for x, y, part in zip(place, present, parts, strict=True):
        if np.isfinite(y):
            curve.annotate(f"{y:.1f} ({part.present.sum()} classes)", (x, y), (0, 11), textcoords="offset points",
                           ha="center", fontsize=8, color=_ACCENT)  # fmt: skip
    curve.set_ylim(0, 105)
    curve.set_xlim(-0.5, len(parts) - 0.5)
    curve.set_ylabel("mIoU, %")
    curve.set_xticks(place, [f"{name} m\n{short(part.labelled)} points"
                             for name, part in zip(distance_names(), parts, strict=True)])  # fmt: skip
    curve.grid(alpha=0.25)
    curve.legend(fontsize=8, loc="upper right")
    curve.set_title("mIoU by distance from the sensor", loc="left", color=_INK)

    there = np.flatnonzero(whole.present)
    iou = np.array([[100 * part.iou[c] if part.support[c] else np.nan for part in parts] for c in there])
    _heat_map(map_, iou, blank_below=0)
    map_.set_yticks(range(len(there)), [f"{names[c]}  ({short(whole.support[c])})" for c in there])
    map_.set_xticks(place, [f"{name} m" for name in distance_names()])
    map_.set_title(
        "IoU of each class that labelled points have, %; empty: none of it in the bin", loc="left", color=_INK
    )
    figure.savefig(path, metadata={"Software": None})


def _heat_map(axis: Axes, values: np.ndarray, *, blank_below: float) -> None:
    """Colour and write each percentage; NaN is grey and without a number."""
    from matplotlib import colormaps

    colors = colormaps["Blues"].with_extremes(bad="#e6e9ed")
    axis.imshow(np.ma.masked_invalid(values), cmap=colors, vmin=0, vmax=100, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        if np.isfinite(value) and value >= blank_below:
            shade = "white" if value > 55 else _INK
            axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color=shade)
    axis.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)


def _frame_right_ones(axis: Axes, classes: int) -> None:
    """Rows begin with class 1, columns with class 0."""
    from matplotlib.patches import Rectangle

    for row in range(classes):
        axis.add_patch(Rectangle((row + 0.5, row - 0.5), 1, 1, fill=False, edgecolor=_ACCENT, linewidth=1.2, zorder=3))


def short(points: int) -> str:
    """A count for people: 1.2 M, 45 k, 678."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if points >= size:
            return f"{points / size:.{1 if points < 10 * size else 0}f} {unit}"
    return str(points)


def _new_figure(width_in: float, height_in: float) -> Any:
    """A figure that is drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure
