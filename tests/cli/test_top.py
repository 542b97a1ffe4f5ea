"""``run.py top`` beside real runs: it sees them, ends with them, and costs them nothing, whatever becomes of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.runs import ROOT, lidar_graph, remove, run_py, short_folder

PATHS = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def here() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def start(here: Path, count: int, *more: str, rate: str = "1.0") -> subprocess.Popen[str]:
    """A run in ``here/o`` at 50 scans/s, with messages flowing."""
    document = lidar_graph(here, scans={"params": {"count": count, "rate_hz": 50}, "expect_hz": 50})
    (here / "graph.yaml").write_text(yaml.safe_dump(document))
    command = ["play", str(here / "graph.yaml"), "--rate", rate, "--out", str(here / "o"), *more]
    run = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *command],
        env={**PATHS, "TMPDIR": str(here)},  # what a killed run leaves there
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not (here / "o" / "run" / "status.sock").exists() and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.05)
    return run


def top(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), "top", *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def account(here: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((here / "o" / "run" / "report.json").read_text())
    return report


def test_top_follows_a_run_to_its_end_and_tops_that_die_or_hang_cost_it_nothing(here: Path) -> None:
    run = start(here, count=150)
    following, killed, hanging = (top(str(here / "o"), "--json") for _ in range(3))
    for other in (killed, hanging):
        assert json.loads(other.stdout.readline())["graph"] == "test"
    killed.kill()
    os.kill(hanging.pid, signal.SIGSTOP)

    text, _ = run.communicate(timeout=60)
    assert run.returncode == 0, text
    (scans, *_others) = account(here)["nodes"]
    assert scans["processed"] == 150
    assert account(here)["unexplained"] == 0

    lines, remark = following.communicate(timeout=20)
    assert following.returncode == 0
    assert "finished after" in remark
    statuses = [json.loads(line) for line in lines.splitlines()]
    assert {"starting", "running"} >= {status["stage"] for status in statuses}
    assert statuses[-1]["nodes"][0]["processed"] > 0
    assert [node["node"] for node in statuses[-1]["nodes"]] == ["scans", "label", "fuse", "lines"]
    os.kill(hanging.pid, signal.SIGCONT)
    hanging.communicate(timeout=20)
    assert hanging.returncode == 0
    killed.communicate()
    assert not (here / "o" / "run" / "status.sock").is_symlink()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def scraped(port: int, metric: str, **labels: str) -> float:
    """The value of one metric of the run that serves at ``port``, once it has one above zero."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        for sample in (sample for family in families for sample in family.samples):
            if (sample.name, sample.labels) == (metric, labels) and sample.value > 0:
                return float(sample.value)
        time.sleep(0.1)
    raise AssertionError(f"no {metric} {labels}")


def test_one_table_one_line_of_json_metrics_and_a_run_that_is_killed(here: Path) -> None:
    port = free_port()
    run = start(here, 5000, "--metrics", str(port))
    try:
        assert scraped(port, "rangecast_node_up", node="label") == 1
        assert scraped(port, "rangecast_messages_total", node="lines") <= 5000
        assert scraped(port, "rangecast_latency_seconds_count", node="lines") <= 5000
        assert scraped(port, "rangecast_process_resident_memory_bytes", process="label") > 1e6
        shown = run_py("top", str(here / "o"), "--once")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith("test: ")
        assert "scans -> label.scan" in shown.stdout
        assert max(len(line) for line in shown.stdout.splitlines()) <= 100
        as_json = run_py("top", str(here / "o"), "--once", "--json")
        assert json.loads(as_json.stdout)["pid"] == run.pid
        no_terminal = run_py("top", str(here / "o"))
        assert no_terminal.returncode == 2
        assert "the output is no terminal" in no_terminal.stderr

        following = top(str(here / "o"), "--json")
        following.stdout.readline()
        run.kill()
        run.communicate()
        _, remark = following.communicate(timeout=20)
        assert following.returncode == 1
        assert "ended without an account: it was killed" in remark
    finally:
        run.kill()
        run.wait()
    after = run_py("top", str(here / "o"), "--once")
    assert (after.returncode, after.stdout) == (2, "")
    assert "no run is going on there" in after.stderr


def test_a_rate_that_is_missed_is_a_line_at_the_end(here: Path) -> None:
    """Half of what is expected, long enough for a window to be full."""
    run = start(here, 300, "--set", "nodes.scans.expect_hz=100")
    text, _ = run.communicate(timeout=60)
    assert run.returncode == 0, text
    assert "expected rate scans: 100 Hz ± 10% held for 0% of" in text


def test_without_a_pace_no_rate_is_judged_and_that_is_said(here: Path) -> None:
    run = start(here, 20, rate="max")
    text, _ = run.communicate(timeout=60)
    assert "expected rate scans: 50 Hz ± 10% was not judged: --rate max has no pace to keep" in text


def test_a_metrics_port_that_is_taken_is_one_line_before_anything_starts(here: Path) -> None:
    (here / "graph.yaml").write_text(yaml.safe_dump(lidar_graph(here)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_py("play", str(here / "graph.yaml"), "--out", str(here / "o"), "--metrics", port, env=PATHS)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"--metrics {port}: cannot listen on 127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (here / "o").exists()


def test_a_folder_without_a_run_is_one_line(here: Path) -> None:
    done = run_py("top", str(here))
    assert done.returncode == 2
    assert f"{here}: not a run's folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1
