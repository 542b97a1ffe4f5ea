"""What is scraped, read back by Prometheus' own parser."""

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from errors import UserError
from pipeline.live.prometheus import HOST, MetricsServer
from pipeline.live.status import EdgeStatus, NodeStatus, ProcessStatus, RateStatus, RunStatus
from pipeline.samples import LatencyCounts

LATENCIES_NS = (500_000, 3_000_000, 3_000_000, 70_000_000, 99_000_000_000)


def node(name: str, expected_rate: RateStatus | None, up: bool) -> NodeStatus:
    counts = LatencyCounts()
    for latency_ns in LATENCIES_NS:
        counts.add(latency_ns)
    return NodeStatus(
        node=name,
        process=name,
        state="running",
        up=up,
        processed=12,
        emitted=11,
        in_hz=None,
        out_hz=9.9,
        queue_ms=None,
        compute_ms=None,
        latency_ms=None,
        latency_histogram=counts.histogram(),
        expected_rate=expected_rate,
    )


STATUS = RunStatus(
    graph="test",
    stage="running",
    pid=1,
    elapsed_s=3.0,
    rate=1.0,
    window_s=5.0,
    nodes=[
        node("lidar", RateStatus(hz=10.0, tolerance=0.1, alive=True, ok=False), up=True),
        node("fusion", RateStatus(hz=10.0, tolerance=0.1, alive=None, ok=None), up=False),
        node("video", None, up=True),
    ],
    edges=[
        EdgeStatus(
            edge='lidar -> odd"name\\.scan',
            policy="latest",
            waiting=2,
            in_flight=1,
            offered=20,
            offered_hz=10.0,
            dropped={"overflow": 4, "expired": 1},
            dropped_lately={"overflow": 1},
        )
    ],
    processes=[
        ProcessStatus(
            process="lidar",
            nodes=["lidar"],
            pid=7,
            state="running",
            restarts=2,
            cpu_s=1.25,
            cpu_percent=40.0,
            rss_bytes=50_000_000,
        )
    ],
)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


@pytest.fixture
def server(port: int) -> Iterator[MetricsServer]:
    with MetricsServer(port) as server:
        yield server


def scrape(port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_every_figure_of_the_status_is_scraped(server: MetricsServer, port: int) -> None:
    server.on_status(STATUS)
    found = scrape(port)
    edge = 'lidar -> odd"name\\.scan'
    assert found[key("rangecast_node_up", node="lidar")] == 1
    assert found[key("rangecast_node_up", node="fusion")] == 0
    assert found[key("rangecast_messages_total", node="lidar")] == 12
    assert found[key("rangecast_emitted_total", node="lidar")] == 11
    assert found[key("rangecast_offered_total", edge=edge)] == 20
    assert found[key("rangecast_dropped_total", edge=edge, reason="overflow")] == 4
    assert found[key("rangecast_dropped_total", edge=edge, reason="expired")] == 1
    assert found[key("rangecast_queue_messages", edge=edge, where="waiting")] == 2
    assert found[key("rangecast_queue_messages", edge=edge, where="in_flight")] == 1
    assert found[key("rangecast_process_cpu_seconds_total", process="lidar")] == 1.25
    assert found[key("rangecast_process_resident_memory_bytes", process="lidar")] == 50_000_000
    assert found[key("rangecast_process_restarts_total", process="lidar")] == 2


def test_the_histogram_counts_up_to_each_bound(server: MetricsServer, port: int) -> None:
    server.on_status(STATUS)
    found = scrape(port)
    for (name, labels), value in found.items():
        if name == "rangecast_latency_seconds_bucket" and ("node", "lidar") in labels:
            upper_s = float(dict(labels)["le"])
            assert value == sum(1 for latency_ns in LATENCIES_NS if latency_ns / 1e9 <= upper_s)
    assert found[key("rangecast_latency_seconds_count", node="lidar")] == len(LATENCIES_NS)
    assert found[key("rangecast_latency_seconds_sum", node="lidar")] == pytest.approx(sum(LATENCIES_NS) / 1e9)


def test_a_rate_that_is_not_judged_has_no_verdict(server: MetricsServer, port: int) -> None:
    server.on_status(STATUS)
    found = scrape(port)
    assert found[key("rangecast_expected_rate_hertz", node="fusion")] == 10
    assert found[key("rangecast_alive", node="lidar")] == 1
    assert found[key("rangecast_rate_ok", node="lidar")] == 0
    assert key("rangecast_rate_ok", node="fusion") not in found
    assert key("rangecast_expected_rate_hertz", node="video") not in found


def test_before_the_first_status_there_is_nothing(server: MetricsServer, port: int) -> None:
    assert scrape(port) == {}


def test_a_port_that_is_taken_is_one_line(server: MetricsServer, port: int) -> None:
    with pytest.raises(UserError, match=rf"--metrics {port}: cannot listen on 127\.0\.0\.1:{port}: "):
        MetricsServer(port)


def test_it_listens_on_loopback_alone_and_ends(port: int) -> None:
    with MetricsServer(port), socket.socket() as probe:
        # Every address of 127/8 is this machine's: one that listened everywhere would answer at this one too.
        assert probe.connect_ex(("127.0.0.2", port)) != 0
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, port)) != 0
