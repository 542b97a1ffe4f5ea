"""Pictures of a profiled run: latency over time, the waterfall of two frames, how latency is distributed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import UserError
from pipeline.stages import COMPUTE, DUE, ENCODE, LATE, OUTBOX, TRANSPORT, WAIT
from pipeline.trace import NodeTrace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from profiling.pipeline.decompose import Frame
    from profiling.pipeline.figures import RunFigures

COLORS = {
    COMPUTE: "#2f6db3",
    TRANSPORT: "#2a9d8f",
    ENCODE: "#8fd0c5",
    OUTBOX: "#f4a259",
    WAIT: "#f7cf8b",
    LATE: "#b8bcc4",
    DUE: "#cdb4db",
}
MEANING = {
    COMPUTE: "compute (the node's code)",
    TRANSPORT: "transport (socket, decoding)",
    ENCODE: "encode",
    OUTBOX: "wait in the publisher's outbox",
    WAIT: "wait in inbox and synchroniser",
    LATE: "released late by the source",
    DUE: "another sensor was due later",
}
INK, PALE = "#22303c", "#d5d9de"
LEAST_LABELLED = 0.025  # of the latency


def require_matplotlib() -> None:
    """Raise :class:`UserError` where there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError("--report: its pictures need matplotlib: pip install -e .[profile]") from None


def save(folder: Path, run: RunFigures, traces: Mapping[str, NodeTrace]) -> list[Path]:
    """Write ``latency.png``, ``waterfall.png`` and ``distribution.png``; returns their paths."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = {
        "latency.png": ((11, 5.2), _latency),
        "waterfall.png": ((11, 2.2 + 0.62 * len(traces)), _waterfalls),
        "distribution.png": ((11, 0.9 + 0.62 * len(run.nodes)), _distribution),
    }
    paths = []
    style = {"font.size": 9.5, "font.family": "DejaVu Sans", "axes.edgecolor": INK, "text.color": INK}
    style |= {"axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
    with mpl.rc_context(style):
        for name, (size, draw) in drawn.items():
            figure = Figure(figsize=size, layout="constrained")
            draw(figure, run, traces)
            figure.savefig(folder / name, dpi=130)
            paths.append(folder / name)
    return paths


def _latency(figure: Any, run: RunFigures, _: Mapping[str, NodeTrace]) -> None:
    """Latency of every fused frame, stacked by what it is made of; below, the cores in use."""
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
    begin_ns = run.frames[0].finished_ns
    time_s = [(frame.finished_ns - begin_ns) / 1e9 for frame in run.frames]
    totals = {kind: np.array([_sum_ms(frame, kind) for frame in run.frames]) for kind in COLORS}
    kinds = [kind for kind, values in totals.items() if values.any()]
    top.stackplot(
        time_s, *(totals[k] for k in kinds), colors=[COLORS[k] for k in kinds], labels=[MEANING[k] for k in kinds]
    )
    latencies_ms = [frame.latency_ns / 1e6 for frame in run.frames]
    p50, p99 = np.percentile(latencies_ms, (50, 99))
    for value, text in ((p50, "p50"), (p99, "p99")):
        top.axhline(value, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        top.annotate(f" {text} {value:.1f} ms", (time_s[-1], value), va="bottom", ha="right", fontsize=8.5)
    top.set(ylabel="latency since due, ms", ylim=(0, None), xlim=(time_s[0], time_s[-1]))
    top.set_title(f"{run.fused}: latency of {len(run.frames)} frames, {run.rate_hz:.1f} frames/s", loc="left")
    top.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=8.5, reverse=True)
    series = {p: rows for p, rows in run.cpu.items() if len(rows) > 1}
    largest = sorted(series, key=lambda p: -sum(share for _, share in series[p]))[:6]
    for process in largest:
        bottom.plot(*zip(*series[process], strict=True), label=process, linewidth=1.6)
    bottom.set(ylabel="cores in use", xlabel="time, s", ylim=(0, None))
    if largest:
        bottom.legend(loc="upper left", bbox_to_anchor=(1.005, 1.05), frameon=False, fontsize=8.5)
    for axes in (top, bottom):
        _plain(axes)


def _waterfalls(figure: Any, run: RunFigures, traces: Mapping[str, NodeTrace]) -> None:
    """Every stage of two frames: the one of median latency and the one at the 99th percentile."""
    by_latency = sorted(run.frames, key=lambda frame: frame.latency_ns)
    chosen = {
        "median": by_latency[len(by_latency) // 2],
        "99th percentile": by_latency[min(len(by_latency) - 1, int(0.99 * len(by_latency)))],
    }
    panels = figure.subplots(2, 1)
    for axes, (called, frame) in zip(panels, chosen.items(), strict=True):
        _waterfall(axes, frame, traces)
        runtime = f"{frame.runtime_ns / 1e6:.1f} ms of it outside the nodes' code"
        title = f"{called}: frame {frame.name or frame.seq}, {frame.latency_ns / 1e6:.1f} ms since due, {runtime}"
        axes.set_title(title, loc="left", fontsize=10)
    panels[1].set_xlabel("ms since the measurement was due")
    kinds = [
        k for k in COLORS if any(stage.kind == k and stage.duration_ns for f in chosen.values() for stage in f.stages)
    ]
    boxes = [_patch(COLORS[k], MEANING[k]) for k in kinds] + [_patch(PALE, "other work meanwhile")]
    figure.legend(handles=boxes, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)


def _waterfall(axes: Axes, frame: Frame, traces: Mapping[str, NodeTrace]) -> None:
    path = list(dict.fromkeys(stage.node for stage in frame.stages))
    begin_ns, end_ns = min(frame.due_ns, frame.stages[0].begin_ns), frame.finished_ns
    meanwhile = {
        node: [(max(call.started_ns, begin_ns), min(call.finished_ns, end_ns)) for call in trace.calls]
        for node, trace in traces.items()
    }
    others = [n for n, spans in meanwhile.items() if n not in path and any(right > left for left, right in spans)]
    rows = {node: row for row, node in enumerate([*path, *others])}
    for node, row in rows.items():
        for left, right in meanwhile[node]:
            if right > left:
                axes.barh(row, (right - left) / 1e6, left=(left - frame.due_ns) / 1e6, height=0.62, color=PALE)
    for stage in frame.stages:
        left, width = (stage.begin_ns - frame.due_ns) / 1e6, stage.duration_ns / 1e6
        axes.barh(rows[stage.node], width, left=left, height=0.62, color=COLORS[stage.kind])
        if stage.duration_ns > LEAST_LABELLED * frame.latency_ns:
            color = "white" if stage.kind in (COMPUTE, TRANSPORT) else INK
            text = f"{width:.1f}"
            axes.text(left + width / 2, rows[stage.node], text, ha="center", va="center", color=color, fontsize=8)
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim((begin_ns - frame.due_ns) / 1e6, 1.01 * frame.latency_ns / 1e6)
    _plain(axes)


def _distribution(figure: Any, run: RunFigures, _: Mapping[str, NodeTrace]) -> None:
    """Compute, transport and queue wait of every node, and the latency, on one logarithmic axis."""
    axes = figure.subplots()
    rows = {node: row for row, node in enumerate([*run.nodes, "latency since due"])}
    for node, found in run.nodes.items():
        for offset, (samples, kind) in enumerate(
            ((found.compute_ms, COMPUTE), (found.transport_ms, TRANSPORT), (found.queue_ms, WAIT))
        ):
            _box(axes, samples, rows[node] + 0.27 * (offset - 1), COLORS[kind])
    _box(axes, [frame.latency_ns / 1e6 for frame in run.frames], rows["latency since due"], INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("ms (box: quartiles; line: median; whiskers: 1st and 99th percentile)")
    axes.set_title(f"How the times are distributed, {len(run.frames)} frames", loc="left", fontsize=10)
    names = ((COMPUTE, "compute"), (TRANSPORT, "transport: encode, socket, decode"), (WAIT, "queue wait"))
    boxes = [_patch(COLORS[kind], text) for kind, text in names]
    axes.legend(handles=boxes, loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=8.5)
    _plain(axes)


def _box(axes: Axes, samples_ms: list[float], row: float, color: str) -> None:
    values = [value for value in samples_ms if value > 1e-3]  # below 1 µs: nothing happened
    if values:
        style = {"color": color, "linewidth": 1.1}
        axes.boxplot(
            [values], positions=[row], orientation="horizontal", widths=0.2, whis=(1, 99), showfliers=False,
            patch_artist=True, boxprops={"facecolor": color, "alpha": 0.45, **style}, whiskerprops=style,
            capprops=style, medianprops={"color": INK, "linewidth": 1.6}, manage_ticks=False,
        )  # fmt: skip


def _sum_ms(frame: Frame, kind: str) -> float:
    return max(0.0, sum(stage.duration_ns for stage in frame.stages if stage.kind == kind) / 1e6)


def _patch(color: str, label: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=color, label=label)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
