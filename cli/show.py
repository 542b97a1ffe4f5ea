"""What a person sees of a run: a live table while it goes, the account and the latencies at the end."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.live_table import live_table
from pipeline.account import EdgeAccount
from pipeline.graph import Graph
from pipeline.live.observer import Observer
from pipeline.live.status import RunStatus
from pipeline.report import NodeReport, Percentiles, RateReport, RunReport

MAX_LISTED = 12
FILE_WIDTH = 120  # of tables in a log or a pipe

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=FILE_WIDTH)


class Display(Observer):
    """Follows a run in the terminal. Where the output is no terminal, only stages and remarks are printed."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._told: set[tuple[str, str]] = set()

    def __enter__(self) -> Display:
        for absent in self._graph.left_out:
            _say("yellow", "left out", f"{absent.node}: {absent.reason}")
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def on_stage(self, text: str) -> None:
        if self._live is None:
            _say("", text, f"{self._graph.name} ({len(self._graph.nodes)} nodes)")

    def on_said(self, node: str, level: str, text: str) -> None:
        if (node, text) not in self._told and len(self._told) < MAX_LISTED:
            colour = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}.get(level, "dim")
            _say(colour, f"{node}:", text)
        self._told.add((node, text))

    def on_event(self, text: str) -> None:
        _say("red", "process", text)

    def on_status(self, status: RunStatus) -> None:
        if self._live is not None:
            self._live.update(live_table(status), refresh=True)


def _say(style: str, word: str, text: str) -> None:
    """One line, however long: it may be searched for, or cut by the reader's own terminal. ``word`` is coloured."""
    console.print(Text.assemble((word, style), " " if word else "", text), soft_wrap=True)


def print_summary(report: RunReport, folder: Path) -> None:
    """The account of the run, for reading."""
    if any(node.processed for node in report.nodes):
        console.print(_latency_table(report))
        console.print(_loss_table(report))
    _print_remarks(report)
    for rate in report.expected_rates:
        _print_rate(rate)
    colour = {"finished": "green", "interrupted": "yellow"}.get(report.outcome, "red")
    reason = f": {report.reason}" if report.reason else ""
    word = "failed" if report.outcome == "user" else report.outcome
    _say(colour, word, f"after {report.duration_s:.1f} s{reason}; outputs in {folder}")


def _latency_table(report: RunReport) -> Table:
    table = Table(title="Where the time went, in ms: median (95th percentile)", title_justify="left")
    for heading in ("node", "messages", "queue", "transport", "compute", "since due", "of it runtime"):
        table.add_column(heading, justify="left" if heading == "node" else "right")
    for node in report.nodes:
        figures = (node.queue_ms, node.transport_ms, node.compute_ms, node.latency_ms, node.runtime_ms)
        table.add_row(node.node, str(node.processed), *map(_figure, figures))
    return table


def _figure(percentiles: Percentiles | None) -> str:
    return "" if percentiles is None else f"{percentiles.p50:.1f} ({percentiles.p95:.1f})"


def _loss_table(report: RunReport) -> Table:
    table = Table(title="Loss report: every message of every edge", title_justify="left")
    for heading in ("edge", "policy", "sent", "delivered", "lost", "unexplained"):
        table.add_column(heading, justify="left" if heading in ("edge", "policy") else "right")
    for edge in report.edges:
        unexplained = f"[red]{edge.unexplained}[/]" if edge.unexplained else "0"
        table.add_row(edge.edge, edge.policy, str(edge.offered), str(edge.delivered), _lost(edge), unexplained)
    return table


def _lost(edge: EdgeAccount) -> str:
    if not edge.lost:
        return "0"
    parts = [f"{count} {reason}" for reason, count in edge.lost.items()]
    return f"{', '.join(parts)} ({sum(edge.lost.values()) / max(edge.offered, 1):.1%})"


def _print_remarks(report: RunReport) -> None:
    for node in report.nodes:
        _print_node_remarks(node)
    for _, text in report.events:
        _say("red", "process", text)
    for node, reason in report.left_out:
        _say("yellow", "left out", f"{node}: {reason}")
    named = [loss for loss in report.losses if loss.reason != "overflow"]
    for loss in named[:MAX_LISTED]:
        detail = f": {loss.detail}" if loss.detail else ""
        _say("yellow", "lost", f"{loss.name or f'#{loss.seq}'} on {loss.edge}: {loss.reason}{detail}")
    if len(named) > MAX_LISTED:
        _say("yellow", "lost", f"and {len(named) - MAX_LISTED} more: run/report.json names them")
    if report.unnamed_losses:
        _say("yellow", "lost", f"and {report.unnamed_losses} more that are counted above but not named")


def _print_rate(rate: RateReport) -> None:
    """One line where an expected rate was not kept, or could not be judged."""
    expected = f"{rate.node}: {rate.expected_hz:g} Hz ± {rate.tolerance:.0%}"
    if rate.ok_share is None:
        _say("dim", "expected rate", f"{expected} was not judged: {rate.not_judged}")
    elif rate.ok_share < 1:
        was = "" if rate.lowest_hz is None else f"; it was {rate.lowest_hz:.3g} to {rate.highest_hz:.3g} Hz"
        _say("yellow", "expected rate", f"{expected} held for {rate.ok_share:.0%} of {rate.judged_s:.1f} s{was}")


def _print_node_remarks(node: NodeReport) -> None:
    for name, reason in node.skipped[:MAX_LISTED]:
        _say("yellow", "skipped", f"{node.node} {name}: {reason}")
    if len(node.skipped) > MAX_LISTED:
        _say("yellow", "skipped", f"{node.node}: and {len(node.skipped) - MAX_LISTED} more")
    counted = ", ".join(f"{name} {count}" for name, count in sorted(node.counters.items()) if count)
    if counted:
        _say("dim", "counted", f"{node.node}: {counted}")
