"""The report: ``report.md`` for people, ``report.json`` for programs, and the pictures both refer to."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from errors import UserError
from formats.labels import load_label_table
from simulation.statistics import histograms
from simulation.statistics.compare import Report, Row
from simulation.statistics.plots import draw_curves
from simulation.statistics.quantities import CLASSES, LABELLED, LIDAR, PICTURE, QUANTITIES, Quantity
from simulation.statistics.recordings import Measured
from simulation.statistics.side_by_side import draw_side_by_side

_INTRODUCTION = (
    "Real is the mean of all real recordings, each is every one that has such data; histograms and profiles stand as "
    "their means. Spread is how far apart two of the real recordings are on average: a difference below it is no "
    "larger than that between one real drive and another. W1: how far the mass of one histogram must be moved to make "
    "the other. JS: Jensen-Shannon divergence, 0 the same .. 1 bit nothing in common."
)


def write_report(report: Report, out: Path) -> None:
    """Write ``report.md``, ``report.json`` and the pictures into the folder ``out``, which is made where it is absent.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        curves = draw_curves(report, out)
        pictures = draw_side_by_side(report, out)
        (out / "report.json").write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="utf-8")
        (out / "report.md").write_text(as_markdown(report, curves, pictures), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out folder") from error


def as_json(report: Report) -> dict:
    """The whole report as JSON values; NaN and what is absent become null."""
    return {
        "recordings": {
            side: [
                {"path": str(one.recording.path), "scans": len(one.recording.scans),
                 "labelled": bool(one.recording.labels), "pictures": len(one.recording.pictures)}
                for one in group
            ]
            for side, group in (("simulated", report.simulated), ("real", report.real))
        },
        "statistics": {
            name: {
                "title": QUANTITIES[name].title,
                "kind": QUANTITIES[name].kind,
                "unit": QUANTITIES[name].unit,
                "edges": _plain(QUANTITIES[name].edges),
                "real": _plain(row.real),
                "simulated": _plain(row.simulated),
                "difference": _finite(row.difference),
                "spread": _finite(row.spread),
            }
            for name, row in report.rows.items()
        },
    }  # fmt: skip


def as_markdown(report: Report, curves: list[str], pictures: list[str]) -> str:
    """The report for people; ``curves`` and ``pictures`` are names of PNG files beside it."""
    parts = [
        "# Simulated drives beside real recordings",
        _INTRODUCTION,
        _recordings(report),
    ]
    for title, quantities in (("Scans", LIDAR), ("Labels", LABELLED), ("Pictures", PICTURE)):
        rows = [row for name, row in report.rows.items() if name in quantities and "/" not in name]
        if rows:
            parts += [f"## {title}", _summary(report, rows)]
    if "classes" in report.rows:
        parts += ["## Classes", _classes(report), "## Remission of classes", _remissions(report)]
    parts += [f"![{Path(name).stem}]({name})" for name in (*curves, *pictures)]
    return "\n\n".join(parts) + "\n"


def _recordings(report: Report) -> str:
    def line(side: str, one: Measured) -> list[str]:
        labelled = "yes" if one.recording.labels else "no"
        return [side, one.recording.path.name, str(len(one.recording.scans)), labelled,
                str(len(one.recording.pictures))]  # fmt: skip

    lines = [line("simulated", one) for one in report.simulated] + [line("real", one) for one in report.real]
    return _table(["", "recording", "scans", "labelled", "pictures"], lines)


def _summary(report: Report, rows: list[Row]) -> str:
    lines = []
    for row in rows:
        quantity = QUANTITIES[row.name]
        times = row.difference / row.spread if row.spread > 0 else float("nan")
        each = [_typical(quantity, value) for one in report.real if (value := one.value(row.name)) is not None]
        lines.append(
            [
                quantity.title + (f", {quantity.unit}" if quantity.unit else ""),
                _typical(quantity, row.real),
                " / ".join(each) if len(each) > 1 and quantity.kind != "shares" else "–",
                _typical(quantity, row.simulated),
                _number(row.difference),
                _number(row.spread),
                _number(times, 2),
                _measure(quantity, row),
            ]
        )
    head = ["", "real", "each", "simulated", "difference", "spread", "difference / spread", "measure"]
    return _table(head, lines)


def _typical(quantity: Quantity, value: np.ndarray | None) -> str:
    """One number for a value: itself, or the mean of a histogram or profile."""
    if value is None or quantity.kind == "shares":
        return "–"
    return _number(histograms.mean(value, quantity.edges) if quantity.kind == "histogram" else float(np.nanmean(value)))


def _measure(quantity: Quantity, row: Row) -> str:
    if quantity.kind != "histogram" or row.real is None or row.simulated is None:
        return {"number": "Δ", "histogram": "W1", "shares": "JS", "profile": "mean Δ"}[quantity.kind]
    return f"W1; JS {histograms.jensen_shannon(row.real, row.simulated):.3f}"


def _classes(report: Report) -> str:
    """Shares of points beside those of the whole SemanticKITTI training set, which its label table states."""
    whole = load_label_table().frequencies
    real, simulated, *holes = (
        np.full(len(CLASSES), np.nan) if value is None else value
        for name in ("classes", "class_holes")
        for value in (report.rows[name].real, report.rows[name].simulated)
    )
    lines = []
    for k, name in enumerate(CLASSES):
        shares = (f"{100 * share:.3f}" if np.isfinite(share) else "–" for share in (whole[k], real[k], simulated[k]))
        times = simulated[k] / whole[k] if whole[k] else float("nan")
        lines.append([name, *shares, _number(times, 2), *(_number(share[k], 2) for share in holes)])
    head = ["class", "training set, %", "real here, %", "simulated, %", "simulated / training set",
            "pulses lost one by one, real, %", "simulated, %"]  # fmt: skip
    return _table(head, lines)


def _remissions(report: Report) -> str:
    lines = []
    for name in CLASSES:
        row = report.rows.get(f"remission/{name}")
        if row is None:
            continue
        lines.append([name, _quantiles(row.name, row.real), _quantiles(row.name, row.simulated),
                      _number(row.difference), _number(row.spread)])  # fmt: skip
    head = ["class", "real: mean (p10, p50, p90), zero", "simulated", "difference (W1)", "spread"]
    return _table(head, lines)


def _quantiles(name: str, value: np.ndarray | None) -> str:
    if value is None:
        return "–"
    edges = QUANTITIES[name].edges
    low, middle, high = (histograms.quantile(value, edges, q) for q in (0.1, 0.5, 0.9))
    return f"{histograms.mean(value, edges):.3f} ({low:.2f}, {middle:.2f}, {high:.2f}), {100 * value[0]:.0f} %"


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def _number(value: float, digits: int = 3) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _plain(value: np.ndarray | None) -> list[float | None] | None:
    return None if value is None else [_finite(float(x)) for x in value]


def _finite(value: float) -> float | None:
    return round(value, 9) if math.isfinite(value) else None
