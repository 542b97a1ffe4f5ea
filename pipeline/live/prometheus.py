"""A run's status as Prometheus metrics, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from errors import UserError
from pipeline.live.observer import Observer
from pipeline.live.status import Histogram, NodeStatus, RunStatus

HOST = "127.0.0.1"


class MetricsServer(Observer):
    """Serves ``http://127.0.0.1:PORT/metrics`` while it is entered; what is scraped is the newest status.

    Raises :class:`errors.UserError` where the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._collector = _StatusCollector()
        registry = CollectorRegistry()
        registry.register(self._collector)
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            raise UserError(f"--metrics {port}: cannot listen on {HOST}:{port}: {error.strerror}") from None

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on_status(self, status: RunStatus) -> None:
        self._collector.status = status


class _StatusCollector(Collector):
    """Turns the status into metrics when it is asked, on the server's thread; a status never changes once made."""

    def __init__(self) -> None:
        self.status: RunStatus | None = None

    def collect(self) -> Iterator[Metric]:
        status = self.status
        if status is None:
            return
        yield from _of_nodes(status.nodes)
        yield from _of_expected_rates(status.nodes)
        yield from _of_edges(status)
        yield from _of_processes(status)


def _of_nodes(nodes: list[NodeStatus]) -> Iterator[Metric]:
    up = GaugeMetricFamily("rangecast_node_up", "1 where the node is open and its process lives", labels=["node"])
    messages = CounterMetricFamily("rangecast_messages", "Messages that the node has processed", labels=["node"])
    emitted = CounterMetricFamily("rangecast_emitted", "Messages that the node has put out", labels=["node"])
    latency = HistogramMetricFamily(
        "rangecast_latency_seconds", "From a message's due time to the end of the node's compute", labels=["node"]
    )
    for node in nodes:
        up.add_metric([node.node], node.up)
        messages.add_metric([node.node], node.processed)
        emitted.add_metric([node.node], node.emitted)
        latency.add_metric([node.node], _buckets(node.latency_histogram), node.latency_histogram.sum_s)
    yield from (up, messages, emitted, latency)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts up to each bound."""
    bounds = [*(str(upper) for upper in histogram.upper_s), "+Inf"]
    return [(bound, sum(histogram.counts[: index + 1])) for index, bound in enumerate(bounds)]


def _of_expected_rates(nodes: list[NodeStatus]) -> Iterator[Metric]:
    expected = GaugeMetricFamily("rangecast_expected_rate_hertz", "The rate that the graph expects", labels=["node"])
    alive = GaugeMetricFamily("rangecast_alive", "1 where a message came within the last periods", labels=["node"])
    ok = GaugeMetricFamily("rangecast_rate_ok", "1 where the output is at the expected rate", labels=["node"])
    for node in nodes:
        rate = node.expected_rate
        if rate is None:
            continue
        expected.add_metric([node.node], rate.hz)
        if rate.alive is not None:
            alive.add_metric([node.node], rate.alive)
        if rate.ok is not None:
            ok.add_metric([node.node], rate.ok)
    yield from (expected, alive, ok)


def _of_edges(status: RunStatus) -> Iterator[Metric]:
    offered = CounterMetricFamily("rangecast_offered", "Messages offered on the edge", labels=["edge"])
    dropped = CounterMetricFamily("rangecast_dropped", "Messages lost on the edge", labels=["edge", "reason"])
    queue = GaugeMetricFamily("rangecast_queue_messages", "Messages on the edge now", labels=["edge", "where"])
    for edge in status.edges:
        offered.add_metric([edge.edge], edge.offered)
        queue.add_metric([edge.edge, "waiting"], edge.waiting)
        queue.add_metric([edge.edge, "in_flight"], edge.in_flight)
        for reason, count in edge.dropped.items():
            dropped.add_metric([edge.edge, reason], count)
    yield from (offered, dropped, queue)


def _of_processes(status: RunStatus) -> Iterator[Metric]:
    cpu = CounterMetricFamily("rangecast_process_cpu_seconds", "Processor time used", labels=["process"])
    memory = GaugeMetricFamily("rangecast_process_resident_memory_bytes", "Memory in use", labels=["process"])
    restarts = CounterMetricFamily("rangecast_process_restarts", "Restarts after a death", labels=["process"])
    for process in status.processes:
        cpu.add_metric([process.process], process.cpu_s)
        memory.add_metric([process.process], process.rss_bytes)
        restarts.add_metric([process.process], process.restarts)
    yield from (cpu, memory, restarts)
