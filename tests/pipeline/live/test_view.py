"""The status of real runs: what is told while they go is what the account says at the end."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.live.expected_rate import NO_PACE
from pipeline.live.status import EdgeStatus, NodeStatus, RunStatus
from pipeline.report import RateReport, RunReport
from tests.support.runs import Watch, edge, lidar_graph, pid_of, remove, run, short_folder


class Statuses(Watch):
    """Keeps every status."""

    def __init__(self, when_running: object = None) -> None:
        super().__init__(when_running)  # type: ignore[arg-type]
        self.all: list[RunStatus] = []

    def on_status(self, status: RunStatus) -> None:
        self.all.append(status)


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def node_of(status: RunStatus, name: str) -> NodeStatus:
    return next(node for node in status.nodes if node.node == name)


def edge_of(status: RunStatus, name: str) -> EdgeStatus:
    return next(entry for entry in status.edges if entry.edge == name)


def rate_of(report: RunReport, name: str) -> RateReport:
    return next(rate for rate in report.expected_rates if rate.node == name)


def test_overload_is_seen_while_it_lasts_and_a_missed_rate_is_reported(out: Path) -> None:
    """Scans at 50 Hz where 100 are expected, and a node that takes 40 ms for each: live, for seven seconds."""
    watch = Statuses()
    document = lidar_graph(
        out,
        scans={"params": {"count": 350, "rate_hz": 50}, "expect_hz": {"hz": 100, "tolerance": 0.2}},
        label={"params": {"delay_ms": 40}},
    )
    report = run(document, out, rate=1.0, watch=watch)
    assert report.exit_code == 0

    stages = list(dict.fromkeys(status.stage for status in watch.all))
    assert stages[0] == "starting"
    assert "running" in stages
    flowing = [status for status in watch.all if node_of(status, "label").in_hz]
    late = flowing[-1]
    label, scans, lines = node_of(late, "label"), node_of(late, "scans"), node_of(late, "lines")
    assert (scans.in_hz, lines.out_hz) == (None, None)  # a source takes nothing, a sink gives nothing
    assert label.out_hz < 0.8 * label.in_hz
    assert label.compute_ms.p50 >= 40
    assert label.latency_ms.p99 >= label.latency_ms.p50 >= label.compute_ms.p50
    assert label.up
    into_label = edge_of(late, "scans -> label.scan")
    assert into_label.dropped["overflow"] >= into_label.dropped_lately["overflow"] > 0
    assert into_label.policy == "latest"
    assert all(process.cpu_s > 0 and process.rss_bytes > 1e6 and process.pid for process in late.processes)

    # Counts never fall, and lead to the account.
    for name in ("scans", "label", "fuse", "lines"):
        counts = [node_of(status, name).processed for status in watch.all]
        assert counts == sorted(counts)
        assert counts[-1] <= next(node.processed for node in report.nodes if node.node == name)
    assert into_label.dropped["overflow"] <= edge(report, "scans -> label.scan").outcomes["overflow"]
    histogram = node_of(watch.all[-1], "label").latency_histogram
    assert sum(histogram.counts) == node_of(watch.all[-1], "label").processed

    judged = [status for status in watch.all if node_of(status, "scans").expected_rate.ok is not None]
    assert judged
    assert not any(node_of(status, "scans").expected_rate.ok for status in judged)
    rate = rate_of(report, "scans")
    assert (rate.expected_hz, rate.ok_share, rate.not_judged) == (100, 0.0, "")
    assert rate.highest_hz < 80


def test_a_killed_process_is_seen_to_restart(out: Path) -> None:
    def kill_label(watch: Watch) -> None:
        time.sleep(0.3)
        os.kill(pid_of(watch, "label"), signal.SIGKILL)

    watch = Statuses(kill_label)
    document = lidar_graph(
        out, scans={"params": {"count": 150}}, label={"params": {"delay_ms": 10}, "restart": {"backoff_s": 0.7}}
    )
    report = run(document, out, watch=watch)
    assert report.exit_code == 0
    states = [node_of(status, "label").state for status in watch.all]
    assert "restarting" in states
    away = watch.all[states.index("restarting")]
    assert not node_of(away, "label").up
    assert next(process.pid for process in away.processes if process.process == "label") is None
    back = [status for status in watch.all if node_of(status, "label").up and status.processes[1].restarts == 1]
    assert back
    counts = [node_of(status, "label").processed for status in watch.all]
    assert counts == sorted(counts)


def test_a_run_at_full_speed_judges_no_rate_and_says_so(out: Path) -> None:
    report = run(lidar_graph(out, scans={"expect_hz": 100}), out)
    rate = rate_of(report, "scans")
    assert (rate.ok_share, rate.not_judged) == (None, NO_PACE)


def test_a_short_run_judges_no_rate_and_the_expected_one_is_scaled(out: Path) -> None:
    report = run(lidar_graph(out, scans={"expect_hz": 100}), out, rate=2.0)
    rate = rate_of(report, "scans")
    assert (rate.expected_hz, rate.ok_share) == (200, None)
    assert "5 s" in rate.not_judged
