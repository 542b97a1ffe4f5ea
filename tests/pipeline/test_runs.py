"""Whole runs with real processes and sockets: what goes in comes out, in order, accounted for."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.consumer import Consumer
from pipeline.messages import Message
from tests.support.runs import Watch, edge, in_one_process, lidar_graph, lines, node, remove, run, short_folder

Placing = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def expected(count: int, reasons: str, points: int = 8) -> list[list[str]]:
    return [[str(k), f"{k:06d}", str(k % 20 * points), reasons] for k in range(count)]


@pytest.fixture(params=[lambda document: document, in_one_process], ids=["processes", "threads"])
def placed(request: pytest.FixtureRequest) -> Placing:
    """Puts a graph's nodes into processes of their own, or all but the sink into one."""
    return request.param


def test_a_lossless_run_delivers_everything_in_order(out: Path, placed: Placing) -> None:
    report = run(placed(lidar_graph(out)), out)
    assert report.exit_code == 0
    assert lines(out) == expected(20, "ok,ok,absent")
    for account in report.edges:
        assert (account.offered, account.outcomes, account.unexplained) == (20, {"used": 20}, 0)


@pytest.mark.parametrize("placement", ["thread", "tcp", "curve"])
def test_placement_and_transport_change_nothing_in_the_outputs(out: Path, placement: str) -> None:
    change: dict[str, Any] = {
        "thread": {"placement": "thread"},
        "tcp": {"transport": "tcp"},
        "curve": {"transport": "tcp", "curve": True},
    }[placement]
    document = lidar_graph(out, scans=dict(change), label=dict(change))
    report = run(document, out)
    assert report.exit_code == 0
    assert lines(out) == expected(20, "ok,ok,absent")
    assert len(report.processes) == (3 if placement == "thread" else 4)


def test_inputs_of_the_same_time_are_joined(out: Path, placed: Placing) -> None:
    document = lidar_graph(out, fuse={"inputs": {"scan": "scans", "semantics": "label", "image": "camera"}})
    document["nodes"]["camera"] = node("Frames", offset_ms=2)
    document["nodes"]["fuse"]["sync"] = {"tolerance_ms": 4}
    assert run(placed(document), out).exit_code == 0
    assert lines(out) == expected(20, "ok,ok,ok")


def test_labels_of_another_scan_never_count_as_this_scans(out: Path) -> None:
    """Scans come every 10 ms and the tolerance for cameras is 50 ms: what descends from the scan must match exactly."""
    document = lidar_graph(out, label={"params": {"fail_at": 7}})
    document["nodes"]["fuse"]["sync"] = {"tolerance_ms": 50}
    report = run(document, out)
    assert lines(out)[7] == ["7", "000007", "0", "ok,passed,absent"]
    assert [row[3] for row in lines(out)].count("ok,ok,absent") == 19
    assert report.exit_code == 0


def test_an_absent_optional_source_is_left_out_with_a_notice(out: Path) -> None:
    document = lidar_graph(out, fuse={"inputs": {"scan": "scans", "semantics": "label", "image": "camera"}})
    document["nodes"]["camera"] = node("Frames", absent=True) | {"optional": True}
    report = run(document, out)
    assert report.left_out == [("camera", "no images here")]
    assert lines(out) == expected(20, "ok,ok,absent")


def test_a_live_run_keeps_the_recorded_pace(out: Path) -> None:
    begin = time.monotonic()
    report = run(lidar_graph(out, scans={"params": {"count": 30, "rate_hz": 50}}), out, rate=2.0)
    assert report.exit_code == 0
    assert time.monotonic() - begin >= 29 / 50 / 2
    assert report.duration_s >= 29 / 50 / 2


def test_latest_drops_and_counts_under_overload(out: Path, placed: Placing) -> None:
    """A node slower than its input: what is dropped is counted, what is delivered is in order, nothing else is lost."""
    document = lidar_graph(out, scans={"params": {"count": 60}}, label={"params": {"delay_ms": 40}})
    report = run(placed(document), out, rate=1.0)
    account = edge(report, "scans -> label.scan")
    assert account.outcomes["overflow"] > 10
    assert account.outcomes["overflow"] + account.outcomes["used"] == 60
    assert report.unexplained == 0
    names = [row[1] for row in lines(out)]
    assert names == sorted(names)
    named = {loss.seq for loss in report.losses if loss.edge == "scans -> label.scan"}
    assert len(named) == account.outcomes["overflow"]


def test_work_past_its_deadline_is_dropped_and_counted(out: Path, placed: Placing) -> None:
    document = lidar_graph(
        out,
        scans={"params": {"count": 40}, "deadline_ms": 60},
        label={"inputs": {"scan": {"from": "scans", "queue": 30}}, "params": {"delay_ms": 30}},
    )
    report = run(placed(document), out, rate=1.0)
    account = edge(report, "scans -> label.scan")
    assert account.outcomes["expired"] > 5
    assert account.unexplained == 0


def test_skipped_records_are_named_and_do_not_end_the_run(out: Path) -> None:
    report = run(lidar_graph(out, scans={"params": {"skip": [3, 5]}}), out)
    source = next(entry for entry in report.nodes if entry.node == "scans")
    assert source.skipped == [("000003", "it is bad"), ("000005", "it is bad")]
    assert [row[1] for row in lines(out)] == [f"{k:06d}" for k in range(20) if k not in (3, 5)]
    assert report.exit_code == 0


def test_strict_makes_a_skipped_record_an_error(out: Path) -> None:
    report = run(lidar_graph(out, scans={"params": {"skip": [3]}}), out, strict=True)
    assert report.exit_code == 1
    assert "000003" in report.reason


def test_frames_limits_every_source(out: Path) -> None:
    report = run(lidar_graph(out), out, frames=4)
    assert lines(out) == expected(4, "ok,ok,absent")
    assert report.exit_code == 0


def test_the_hops_say_where_the_time_went(out: Path) -> None:
    report = run(lidar_graph(out, label={"params": {"delay_ms": 20}}), out, rate=0.2)
    figures = {entry.node: entry for entry in report.nodes}
    assert figures["label"].compute_ms.p50 >= 20  # it sleeps that long
    fuse = figures["fuse"]
    # Latency since due holds the label's compute, and the runtime's share is what is left without it.
    assert fuse.latency_ms.p50 >= figures["label"].compute_ms.p50
    assert fuse.runtime_ms.p50 <= fuse.latency_ms.p50 - 15


def test_a_message_type_of_the_users_own_travels_like_the_others(out: Path) -> None:
    document = {
        "nodes": {
            "scans": node("Scans"),
            "heights": node("ToHeights", {"scan": "scans"}),
            "last": node("CheckHeights", {"heights": "heights"}),
        }
    }
    report = run(document, out)
    assert report.exit_code == 0
    last = next(entry for entry in report.nodes if entry.node == "last")
    assert last.counters == {"right": 20}


def consume(endpoint: str, into: list[Message], **options: Any) -> threading.Thread:
    def take() -> None:
        with Consumer(endpoint, **options) as frames:
            into.extend(frames)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return thread


def published(out: Path, **settings: Any) -> dict[str, Any]:
    document = lidar_graph(out, fuse={"publish": {"bind": f"ipc://{out}/fused", **settings}})
    del document["nodes"]["lines"]
    return document


def test_an_outside_consumer_gets_every_frame_of_a_lossless_run(out: Path) -> None:
    frames: list[Message] = []
    thread = consume(f"ipc://{out}/fused", frames, name="test")
    report = run(published(out, wait_for=1), out)
    thread.join(10)
    assert [frame.header.seq for frame in frames] == list(range(20))
    assert edge(report, "fuse -> test").outcomes == {"used": 20}
    assert report.exit_code == 0


def test_two_outside_consumers_have_accounts_of_their_own(out: Path) -> None:
    first: list[Message] = []
    second: list[Message] = []
    threads = [consume(f"ipc://{out}/fused", into, name="twin") for into in (first, second)]
    report = run(published(out, wait_for=2), out)
    for thread in threads:
        thread.join(10)
    assert len(first) == len(second) == 20
    assert edge(report, "fuse -> twin").offered == edge(report, "fuse -> twin#2").offered == 20


def test_without_the_key_a_consumer_gets_nothing(out: Path) -> None:
    document = published(out, bind="tcp://127.0.0.1:43217", curve=True, wait_for=1)
    friends: list[Message] = []
    strangers: list[Message] = []
    refused: list[str] = []

    def intrude() -> None:
        try:
            with Consumer("tcp://127.0.0.1:43217", connect_timeout_s=1.5) as frames:
                strangers.extend(frames)
        except TimeoutError as error:
            refused.append(str(error))

    def let_friend_in() -> None:
        stranger = threading.Thread(target=intrude)
        stranger.start()
        stranger.join()
        consume("tcp://127.0.0.1:43217", friends, keys=out / "fuse.key")

    threading.Thread(target=let_friend_in, daemon=True).start()
    report = run(document, out, key_folder=out, watch=Watch())
    assert report.exit_code == 0
    assert refused
    assert "CURVE" in refused[0]
    assert not strangers
    assert len(friends) == 20
    assert (out / "fuse.key").stat().st_mode & 0o077 == 0
