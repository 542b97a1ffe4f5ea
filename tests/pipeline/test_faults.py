"""Kill tests: processes die, hang, raise and stop reading. Nothing is lost without a name, nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
import zmq

from pipeline.links import wire
from tests.support.runs import ROOT, Watch, edge, in_one_process, lidar_graph, lines, pid_of, remove, run, short_folder


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def named_losses(report: object) -> set[int]:
    return {loss.seq for loss in report.losses}  # type: ignore[attr-defined]


def quick_restart(**more: int) -> dict[str, object]:
    return {"restart": {"backoff_s": 0.1, **more}}


@pytest.mark.parametrize("rate", [None, 1.0])
def test_a_killed_node_is_restarted_and_the_report_names_what_was_lost(out: Path, rate: float | None) -> None:
    def kill_label(watch: Watch) -> None:
        time.sleep(0.5)
        os.kill(pid_of(watch, "label"), signal.SIGKILL)

    watch = Watch(kill_label)
    document = lidar_graph(out, scans={"params": {"count": 200}}, label={"params": {"delay_ms": 8}, **quick_restart()})
    document["nodes"]["lines"]["inputs"] = {"fused": {"from": "fuse", "queue": 300}}
    document["nodes"]["fuse"]["sync"] = {} if rate is None else {"timeout_ms": 100}
    report = run(document, out, rate=rate, watch=watch)
    assert report.exit_code == 0
    assert any("label died: killed by SIGKILL" in text for text in watch.events)
    assert report.unexplained == 0
    assert edge(report, "scans -> label.scan").outcomes["consumer_died"] >= 1
    # One fused frame per scan (live, one may be overtaken, by name); those without labels are named too.
    rows = lines(out)
    assert set(range(200)) - {int(row[0]) for row in rows} <= (named_losses(report) if rate else set())
    unlabelled = {int(row[0]) for row in rows if row[3] != "ok,ok,absent"}
    assert unlabelled
    assert unlabelled <= named_losses(report)


def test_a_killed_source_resumes_without_loss_or_repetition(out: Path) -> None:
    def kill_source(watch: Watch) -> None:
        time.sleep(0.4)
        os.kill(pid_of(watch, "scans"), signal.SIGKILL)

    document = lidar_graph(out, scans={"params": {"count": 200}, **quick_restart()}, label={"params": {"delay_ms": 6}})
    report = run(document, out, watch=Watch(kill_source))
    assert report.exit_code == 0
    assert [int(row[0]) for row in lines(out)] == list(range(200))
    assert all(row[3] == "ok,ok,absent" for row in lines(out))
    assert report.unexplained == 0


def test_a_killed_sink_and_a_killed_fusion_come_back(out: Path) -> None:
    def kill(watch: Watch) -> None:
        time.sleep(0.3)
        os.kill(pid_of(watch, "lines"), signal.SIGKILL)
        time.sleep(0.6)
        os.kill(pid_of(watch, "fuse"), signal.SIGKILL)

    document = lidar_graph(
        out,
        scans={"params": {"count": 300}},
        label={"params": {"delay_ms": 8}},
        fuse=quick_restart(),
        lines=quick_restart(),
    )
    report = run(document, out, watch=Watch(kill))
    assert report.exit_code == 0
    assert report.unexplained == 0
    seen = {int(row[0]) for row in lines(out)}
    assert set(range(300)) - seen <= named_losses(report)
    assert len(seen) > 250


def test_a_node_that_raises_loses_that_message_and_goes_on(out: Path) -> None:
    watch = Watch()
    report = run(lidar_graph(out, label={"params": {"fail_at": 9}}), out, watch=watch)
    assert report.exit_code == 0
    assert edge(report, "scans -> label.scan").outcomes == {"used": 19, "failed": 1}
    (loss,) = report.losses
    assert (loss.seq, loss.name, loss.reason) == (9, "000009", "failed")
    assert "scan 9 has a bad day" in loss.detail
    assert lines(out)[9][3] == "ok,passed,absent"


def test_a_failure_among_neighbours_is_named_like_any_other(out: Path) -> None:
    report = run(in_one_process(lidar_graph(out, label={"params": {"fail_at": 9}})), out)
    assert report.exit_code == 0
    assert edge(report, "scans -> label.scan").outcomes == {"used": 19, "failed": 1}
    (loss,) = report.losses
    assert (loss.seq, loss.reason) == (9, "failed")
    assert lines(out)[9][3] == "ok,passed,absent"


@pytest.mark.parametrize("rate", [None, 1.0])
def test_neighbours_that_die_together_come_back_together(out: Path, rate: float | None) -> None:
    """What the source sends again after its restart is fused again: a sink may have a frame twice, and misses none."""

    def kill(watch: Watch) -> None:
        time.sleep(0.5)
        os.kill(pid_of(watch, "scans+label+fuse"), signal.SIGKILL)

    watch = Watch(kill)
    document = lidar_graph(out, scans={"params": {"count": 200}, **quick_restart()}, label={"params": {"delay_ms": 6}})
    document["nodes"]["lines"]["inputs"] = {"fused": {"from": "fuse", "queue": 300}}
    report = run(in_one_process(document), out, rate=rate, watch=watch)
    assert report.exit_code == 0
    assert any("scans+label+fuse died: killed by SIGKILL" in text for text in watch.events)
    assert report.unexplained == 0
    seen = {int(row[0]) for row in lines(out)}
    assert 199 in seen
    assert set(range(200)) - seen <= named_losses(report)


def test_a_users_mistake_in_a_node_ends_the_run_with_its_line(out: Path) -> None:
    report = run(lidar_graph(out, label={"params": {"refuse_at": 5}}), out)
    assert report.exit_code == 2
    assert report.reason == "node label: scan 5 is not for me; give me another"


def test_a_hanging_node_is_restarted(out: Path) -> None:
    document = lidar_graph(
        out,
        label={"params": {"hang_at": 6, "once_file": str(out / "once")}, "hang_timeout_s": 1.0, **quick_restart()},
    )
    watch = Watch()
    report = run(document, out, watch=watch)
    assert report.exit_code == 0
    assert any("busy with one message for more than 1 s" in text for text in watch.events)
    assert len(lines(out)) == 20
    assert {int(row[0]) for row in lines(out) if row[3] != "ok,ok,absent"} == named_losses(report)


def test_a_node_that_keeps_dying_ends_the_run_with_the_reason(out: Path) -> None:
    document = lidar_graph(out, scans={"params": {"count": 40}}, label=quick_restart(limit=2))
    document["nodes"]["label"]["type"] = "tests.support.stream_nodes:DiesAlways"
    report = run(document, out)
    assert report.exit_code == 1
    assert "label died 3 times" in report.reason
    assert report.unexplained == 0


def test_a_node_that_dies_while_starting_ends_the_run_at_once(out: Path) -> None:
    document = lidar_graph(out, label={"params": {}})
    document["nodes"]["label"]["type"] = "tests.support.stream_nodes:DiesOpening"
    report = run(document, out)
    assert report.exit_code == 1
    assert "label died while starting" in report.reason


def play_command(document: dict[str, object], out: Path, *more: str) -> list[str]:
    path = out / "graph.yaml"
    path.write_text(yaml.safe_dump(document))
    return [sys.executable, str(ROOT / "run.py"), "play", str(path), "--out", str(out / "o"), *more]


def descendants_when(process: psutil.Process, count: int) -> list[psutil.Process]:
    """The worker processes, once there are ``count`` of them."""
    return wait_until(lambda: (found := process.children(recursive=True)) and len(found) >= count and found)


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> object:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def slow_graph(out: Path) -> dict[str, object]:
    return lidar_graph(out, scans={"params": {"count": 2000, "rate_hz": 50}})


def flowing(out: Path) -> bool:
    path = out / "lines.txt"
    return path.exists() and len(path.read_text().splitlines()) > 5


@pytest.mark.parametrize("label", [{}, {"hang_at": 8}], ids=["working", "hanging"])
def test_no_process_outlives_a_supervisor_killed_with_sigkill(out: Path, label: dict[str, int]) -> None:
    document = slow_graph(out)
    document["nodes"]["label"]["params"] = label  # type: ignore[index]
    parent = subprocess.Popen(play_command(document, out), stdout=subprocess.DEVNULL)
    workers = descendants_when(psutil.Process(parent.pid), 4)
    wait_until(lambda: flowing(out))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=3)
    assert not alive


def test_sigint_drains_and_exits_130(out: Path) -> None:
    parent = subprocess.Popen(play_command(slow_graph(out), out), stdout=subprocess.PIPE, text=True)
    workers = descendants_when(psutil.Process(parent.pid), 4)
    wait_until(lambda: flowing(out))
    parent.send_signal(signal.SIGINT)
    text, _ = parent.communicate(timeout=20)
    assert parent.returncode == 130
    assert "drained" in text
    assert not psutil.wait_procs(workers, timeout=1)[1]
    # Drained: what the source sent has come through to the sink, in order and without a gap.
    numbers = [int(row[0]) for row in lines(out)]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("victim", ["scans", "label"])
def test_a_node_that_waits_for_its_restart_does_not_hold_up_the_drain(out: Path, victim: str) -> None:
    def kill_and_interrupt(watch: Watch) -> None:
        time.sleep(0.5)
        os.kill(pid_of(watch, victim), signal.SIGKILL)
        wait_until(lambda: watch.events)
        os.kill(os.getpid(), signal.SIGINT)

    document = lidar_graph(out, scans={"params": {"count": 3000, "rate_hz": 50}})
    document["nodes"][victim]["restart"] = {"backoff_s": 20.0}
    begin = time.monotonic()
    report = run(document, out, rate=1.0, watch=Watch(kill_and_interrupt))
    assert report.exit_code == 130
    assert time.monotonic() - begin < 15
    assert report.unexplained == 0


def test_a_second_sigint_stops_at_once(out: Path) -> None:
    document = slow_graph(out)
    document["nodes"]["lines"]["params"]["delay_ms"] = 2000  # type: ignore[index]
    document["nodes"]["lines"]["inputs"] = {"fused": {"from": "fuse", "queue": 500}}  # type: ignore[index]
    parent = subprocess.Popen(play_command(document, out), stdout=subprocess.PIPE, text=True)
    descendants_when(psutil.Process(parent.pid), 4)
    time.sleep(2.0)
    parent.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert parent.poll() is None
    parent.send_signal(signal.SIGINT)
    parent.communicate(timeout=5)
    assert parent.returncode == 130


class MuteConsumer:
    """Says hello on a published endpoint with credit for two messages, and never reads again."""

    def __init__(self, endpoint: str) -> None:
        self.context = zmq.Context()
        self.socket = wire.consumer_socket(self.context)
        self.socket.connect(endpoint)
        self.socket.send_multipart([wire.HELLO, wire.encode_body(wire.Hello("mute", 2, 1))])

    def close(self) -> None:
        self.socket.close()
        self.context.term()


@pytest.fixture
def mute(out: Path) -> Iterator[MuteConsumer]:
    consumer = MuteConsumer(f"ipc://{out}/fused")
    yield consumer
    consumer.close()


def published(out: Path, **settings: object) -> dict[str, object]:
    publish = {"bind": f"ipc://{out}/fused", "wait_for": 1, "stall_timeout_s": 1.0, **settings}
    return lidar_graph(out, scans={"params": {"count": 60}}, fuse={"publish": publish})


def test_a_consumer_that_stops_reading_does_not_slow_a_live_run(out: Path, mute: MuteConsumer) -> None:
    report = run(published(out, policy="latest", queue=2), out, rate=1.0)
    assert report.exit_code == 0
    assert edge(report, "fuse -> mute").outcomes["overflow"] >= 50
    assert edge(report, "fuse -> lines.fused").outcomes.get("used", 0) >= 30
    assert report.unexplained == 0


def test_a_consumer_that_stops_reading_ends_a_lossless_run_with_the_reason(out: Path, mute: MuteConsumer) -> None:
    report = run(published(out, policy="all", queue=2), out)
    assert report.exit_code == 1
    assert "mute of fuse has not read for 1 s" in report.reason
    assert report.unexplained == 0


def test_a_consumer_that_dies_is_noticed_and_its_account_closed(out: Path) -> None:
    script = (
        "import sys; from pipeline.consumer import Consumer\n"
        f"frames = iter(Consumer('ipc://{out}/fused', name='victim'))\n"
        "print(next(frames).header.seq, flush=True); sys.stdin.read()"
    )
    victim = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    document = published(out, policy="all", queue=2, stall_timeout_s=20.0)

    def kill_after_first_frame() -> None:
        assert victim.stdout is not None
        victim.stdout.readline()
        victim.kill()

    threading.Thread(target=kill_after_first_frame, daemon=True).start()
    report = run(document, out)
    victim.wait()
    assert report.exit_code == 0
    account = edge(report, "fuse -> victim")
    assert account.outcomes["consumer_gone"] >= 1
    assert report.unexplained == 0
    assert len(lines(out)) == 60


def test_garbage_on_a_published_endpoint_is_counted_and_changes_nothing(out: Path) -> None:
    bodies = [
        [b""],
        [b"HELLO"],
        [b"HELLO", b"\xff" * 50],
        [b"CREDIT", b"\x93\x01\x02"],
        [b"NOISE", b"x", b"y"],
        [os.urandom(2000)],
        [b"HELLO", wire.encode_body(wire.Hello("x", 1)), b"more"],
    ]

    def shout(_watch: Watch) -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 500
            socket.connect(f"ipc://{out}/fused")
            for body in bodies * 5:
                socket.send_multipart(body)
            time.sleep(0.5)

    document = published(out, wait_for=0)
    document["nodes"]["scans"]["params"] = {"count": 60, "rate_hz": 50}  # type: ignore[index]
    report = run(document, out, rate=1.0, watch=Watch(shout))
    assert report.exit_code == 0
    fuse = next(entry for entry in report.nodes if entry.node == "fuse")
    assert fuse.malformed == len(bodies) * 5
    assert [int(row[0]) for row in lines(out)] == list(range(60))


def test_a_port_in_use_is_one_clear_line(out: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        document = lidar_graph(out, scans={"bind": f"tcp://127.0.0.1:{port}"})
        report = run(document, out)
    assert report.exit_code == 2
    assert f"cannot bind tcp://127.0.0.1:{port}" in report.reason
    assert "\n" not in report.reason


def test_a_slow_start_is_not_a_hang(out: Path) -> None:
    document = lidar_graph(out, label={"hang_timeout_s": 0.3})
    document["nodes"]["label"]["type"] = "tests.support.stream_nodes:SlowOpening"
    document["nodes"]["label"]["params"] = {"open_s": 1.5}
    report = run(document, out)
    assert report.exit_code == 0
    assert not report.events
