"""Curves of the report: histograms and profiles of real and simulated drives over each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from formats.labels import load_label_table
from simulation.statistics.compare import Report
from simulation.statistics.histograms import centres
from simulation.statistics.quantities import CLASSES, QUANTITIES
from simulation.statistics.recordings import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REAL, _SIMULATED = "#1f2933", "#d1495b"
_SHEETS = {
    "rings.png": ("ring_points", "ring_range", "ring_remission", "empty_rows_2048", "empty_rows_512"),
    "scans.png": ("range", "remission", "incidence", "height", "step", "turn", "remission_range",
                  "remission_incidence", "road_remission_range"),
    "remission.png": tuple(f"remission/{name}" for name in CLASSES[1:]),
    "ranges.png": tuple(f"range/{name}" for name in CLASSES[1:]),
    "pictures.png": ("brightness", "saturation", "gradient", "hue", "brightness_rows", "gradient_rows"),
}  # fmt: skip


def draw_curves(report: Report, out: Path) -> list[str]:
    """Write a sheet of curves for each group of statistics that the report has: the names of the files in ``out``.

    They show statistics alone, nothing from which a recording could be restored.
    """
    names = []
    for name, quantities in _SHEETS.items():
        present = [quantity for quantity in quantities if quantity in report.rows]
        if present:
            _sheet(report, present, out / name)
            names.append(name)
    if "classes" in report.rows:
        _classes(report, out / "classes.png")
        names.append("classes.png")
    return names


def new_figure(width_in: float, height_in: float) -> Any:
    """A figure that is drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    return figure


def _sheet(report: Report, quantities: list[str], path: Path) -> None:
    columns = min(3 if len(quantities) <= 9 else 4, len(quantities))
    rows = -(-len(quantities) // columns)
    figure = new_figure(4.4 * columns, 2.7 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, name in zip(axes, quantities, strict=False):
        _curve(axis, report, name)
    for axis in axes[len(quantities) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def _curve(axis: Axes, report: Report, name: str) -> None:
    """One statistic: the two groups in bold, each real recording thin, so that their spread is seen too."""
    quantity, row = QUANTITIES[name], report.rows[name]
    for one in report.real:
        _line(axis, name, one.value(name), color=_REAL, alpha=0.35, linewidth=0.8)
    _line(axis, name, row.real, color=_REAL, linewidth=1.6, label="real (thin: each recording)")
    _line(axis, name, row.simulated, color=_SIMULATED, linewidth=1.6, label="simulated")
    axis.set_title(quantity.title, fontsize=9)
    axis.set_xlabel(quantity.axis, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.25)
    if quantity.kind in ("histogram", "shares"):
        axis.set_ylabel("% of values per bin", fontsize=8)
        top = max((float(v.max()) for v in (row.real, row.simulated) if v is not None), default=1.0)
        second = max((float(np.partition(v, -2)[-2]) for v in (row.real, row.simulated) if v is not None), default=1.0)
        if top > 3 * second > 0:  # one bin (remission 0, burnt-out sky) must not flatten all others
            axis.set_ylim(0, 160 * second)
            axis.text(0.98, 0.95, f"highest bin: {100 * top:.0f} %", ha="right", va="top", fontsize=7,
                      transform=axis.transAxes)  # fmt: skip
    else:
        axis.set_ylabel(quantity.unit, fontsize=8)


def _line(axis: Axes, name: str, value: np.ndarray | None, **style: Any) -> None:
    if value is not None:
        scale = 100.0 if QUANTITIES[name].kind in ("histogram", "shares") else 1.0
        axis.plot(centres(QUANTITIES[name].edges), scale * value, **style)


def _classes(report: Report, path: Path) -> None:
    """Shares of classes on a logarithmic axis, beside those of the whole SemanticKITTI training set."""
    figure = new_figure(9.5, 4.2)
    axis, place = figure.subplots(), np.arange(len(CLASSES))
    row = report.rows["classes"]
    bars = ((np.array(load_label_table().frequencies), "#9aa5b1", "SemanticKITTI, whole training set"),
            (row.real, _REAL, "real recordings compared here"), (row.simulated, _SIMULATED, "simulated"))  # fmt: skip
    for k, (shares, color, label) in enumerate(bars):
        if shares is not None:
            axis.bar(place + 0.27 * (k - 1), np.maximum(100 * shares, 1e-4), 0.27, color=color, label=label)
    axis.set_yscale("log")
    axis.set_ylim(1e-3, 100)
    axis.set_ylabel("% of all points within 50 m")
    axis.set_xticks(place, CLASSES, rotation=45, ha="right", fontsize=8)
    axis.legend(fontsize=8)
    axis.grid(axis="y", alpha=0.25)
    figure.savefig(path, metadata={"Software": None})


def labelled_or_first(group: tuple[Measured, ...]) -> Measured | None:
    """The recording of a group to show: the first with labelled scans, else the first with scans."""
    with_scans = [one for one in group if one.recording.scans]
    return next((one for one in with_scans if one.recording.labels), with_scans[0] if with_scans else None)
