"""Real processes and sockets: everything arrives, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from errors import UserError
from profiling.transport import report, rounds
from profiling.transport.driver import Pair, TransportError
from profiling.transport.systems import SYSTEMS, select
from tests.support.runs import remove

SIZES = [8, 200_000]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MAX_COUNT", 20)


@pytest.mark.usefixtures("few")
def test_every_wire_carries_every_message() -> None:
    systems = [SYSTEMS[name] for name in ("inproc", "ipc", "tcp", "pyzmq inproc", "pyzmq ipc", "pyzmq tcp")]
    turns: list[str] = []
    found = rounds.measure(systems, SIZES, 1, lambda system, round_: turns.append(system.name))
    assert turns == [system.name for system in systems]
    for cell in found.values():
        assert (cell.sent, cell.lost) == (20, 0)
        assert [len(run) for run in cell.latency_ms] == [20]
        assert min(cell.latency_ms[0]) > 0
        assert cell.median_rate_mb_s > 0
    names = {series.name for series in rounds.as_series(found)}
    assert {"ipc 8 B.latency", "pyzmq tcp 200 kB.throughput"} < names
    assert report.words(found).count("beside plain pyzmq") == 3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("word", ["zenoh", "dora"])
def test_others_carry_the_same(word: str) -> None:
    [system] = [system for system in SYSTEMS.values() if system.word == word]
    if not system.installed:
        pytest.skip(f"{system.distribution} is not installed")
    with Pair(system) as pair:
        for size in SIZES:
            sent, read = pair.measure(size, 10, one_by_one=True)
            assert sent.keys() == read.keys()


def test_the_order_is_another_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPair:
        def __init__(self, system: object) -> None: ...

        def __enter__(self) -> "NoPair":
            return self

        def __exit__(self, *_: object) -> None: ...

        def measure(self, size: int, count: int, *, one_by_one: bool) -> tuple[dict[int, int], dict[int, int]]:
            return {n: n for n in range(count)}, {n: n + 2_000_000 for n in range(count - 1)} | {count - 1: 3_000_000}

    monkeypatch.setattr(rounds, "Pair", NoPair)
    turns: list[str] = []
    systems = [SYSTEMS["ipc"], SYSTEMS["tcp"], SYSTEMS["inproc"]]
    found = rounds.measure(systems, [1_000_000], 4, lambda system, round_: turns.append(system.name))
    assert turns == ["ipc", "tcp", "inproc", "tcp", "inproc", "ipc", "inproc", "ipc", "tcp", "ipc", "tcp", "inproc"]
    cell = found["ipc", 1_000_000]
    assert cell.percentile_ms(50) == pytest.approx(2.0)
    assert cell.median_rate_mb_s == pytest.approx(200 * 1e6 / 1e6 / 0.003)  # 200 messages of 1 MB in 3 ms
    assert len(cell.latency_ms) == 4


def test_a_side_that_dies_is_one_line_and_nothing_stays() -> None:
    with Pair(SYSTEMS["ipc"]) as pair:
        os.kill(pair._processes[1].pid, signal.SIGKILL)
        with pytest.raises(TransportError, match="ipc: the receiver ended early"):
            pair.measure(8, 1000, one_by_one=True)
    assert not pair._folder.exists()
    assert all(process.poll() is not None for process in pair._processes)


def test_no_side_outlives_a_driver_that_is_killed() -> None:
    """The driver here is a process of its own, killed while its pair waits."""
    code = (
        "import time; from profiling.transport.driver import Pair; from profiling.transport.systems import SYSTEMS\n"
        "pair = Pair(SYSTEMS['ipc']).__enter__(); print(pair._folder, *[p.pid for p in pair._processes], flush=True)\n"
        "time.sleep(60)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    folder, *words = driver.stdout.readline().split()
    pids = [int(word) for word in words]
    assert len(pids) == 2
    driver.kill()
    driver.wait()
    remove(Path(folder))
    deadline_s = time.monotonic() + 20
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_what_is_asked_for_must_be_known_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [system.name for system in select(["ipc", "pyzmq"])] == ["pyzmq inproc", "ipc", "pyzmq ipc", "pyzmq tcp"]
    with pytest.raises(UserError, match="zenho"):
        select(["zenho"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert {system.word for system in select(None)} == {"inproc", "ipc", "tcp", "pyzmq"}
    with pytest.raises(UserError, match=r"dora-rs is not installed: pip install -e \.\[compare\]"):
        select(["dora"])
