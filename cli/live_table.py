"""The live table of a run, as ``play`` and ``top`` draw it: nodes, then edges. Colour only where something is wrong."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.live.status import EdgeStatus, NodeStatus, ProcessStatus, RateStatus, RunStatus

BAD_STATES = ("dead", "restarting", "gone")


def live_table(status: RunStatus) -> RenderableType:
    """The run as it is now, at most 100 columns wide."""
    return Group(_heading(status), "", _nodes(status), "", _edges(status))


def _heading(status: RunStatus) -> Text:
    pace = "as fast as it goes" if status.rate is None else f"rate {status.rate:g}"
    what = f"{status.stage}, {status.elapsed_s:.0f} s, {pace}; rates and times over {status.window_s:g} s"
    return Text.assemble((status.graph, "bold"), ": ", what)


def _table(*headings: str, left: int) -> Table:
    """A table whose first ``left`` columns are words and whose others are figures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index < left else "right", no_wrap=True)
    return table


def _nodes(status: RunStatus) -> Table:
    headings = ["node", "state", "in/s", "out/s", "expected", "p50 ms", "p99 ms", "compute", "cpu %", "MB", "restarts"]
    table = _table(*headings, left=2)
    processes = {process.process: process for process in status.processes}
    for node in status.nodes:
        style = "red" if node.state in BAD_STATES else ""
        latency, compute = node.latency_ms, node.compute_ms
        table.add_row(
            node.node,
            Text(node.state, style),
            _hz(node.in_hz),
            _hz(node.out_hz),
            _expected(node.expected_rate),
            _ms(latency.p50 if latency else None),
            _ms(latency.p99 if latency else None),
            _ms(compute.p50 if compute else None),
            *_usage(node, processes[node.process]),
        )
    return table


def _usage(node: NodeStatus, process: ProcessStatus) -> tuple[str, str, Text]:
    """Nodes that share a process share its figures: they stand once, with its first node."""
    if node.node != process.nodes[0]:
        return "with", process.nodes[0], Text("")
    cpu = "" if process.cpu_percent is None else f"{process.cpu_percent:.0f}"
    restarts = Text(str(process.restarts), "yellow") if process.restarts > 0 else Text("")
    return cpu, f"{process.rss_bytes / 1e6:.0f}", restarts


def _expected(rate: RateStatus | None) -> Text:
    if rate is None:
        return Text("")
    if rate.alive is False:
        return Text(f"{rate.hz:g} silent", "red")
    if rate.ok is False:
        return Text(f"{rate.hz:g} missed", "yellow")
    return Text(f"{rate.hz:g} ok" if rate.ok else f"{rate.hz:g}")


def _edges(status: RunStatus) -> Table:
    table = _table("edge", "policy", "in/s", "waiting", "in flight", "dropped/s", "dropped", left=2)
    for edge in status.edges:
        table.add_row(
            edge.edge,
            edge.policy,
            _hz(edge.offered_hz),
            str(edge.waiting) if edge.waiting else "",
            str(edge.in_flight) if edge.in_flight else "",
            _dropped_per_s(edge, status.window_s),
            _dropped(edge),
        )
    return table


def _dropped_per_s(edge: EdgeStatus, window_s: float) -> Text:
    lately = sum(edge.dropped_lately.values())
    return Text(f"{lately / window_s:.1f}", "yellow") if lately else Text("")


def _dropped(edge: EdgeStatus) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in edge.dropped.items())


def _hz(per_s: float | None) -> str:
    return "" if per_s is None else f"{per_s:.1f}"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
