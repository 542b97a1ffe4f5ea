"""A checked graph, ready to run: its nodes and edges with every choice made."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from pipeline.graph.entries import ExpectedRate, Policy, Restart


class Edge(Struct, frozen=True, kw_only=True):
    """``target``'s input ``input`` takes the output of ``source``. ``queue``: messages its outbox holds."""

    source: str
    target: str
    input: str
    policy: Policy
    queue: int


class InputSync(Struct, frozen=True, kw_only=True):
    """How an input is matched to the primary one, in sensor time. ``period_ns``: from one message to the next."""

    tolerance_ns: int
    offset_ns: int = 0
    period_ns: int | None = None


class Publish(Struct, frozen=True, kw_only=True):
    """An endpoint for consumers outside the graph. The run starts once ``wait_for`` of them are connected."""

    bind: str
    policy: Policy
    queue: int = 8
    wait_for: int = 0
    stall_timeout_s: float = 10.0
    curve: bool = False


class NodeSpec(Struct, frozen=True, kw_only=True):
    """One node, ready to start. ``type``: ``package.module:Class``; ``params``: all of the constructor's arguments.

    ``sync`` has the connected inputs of ``process()`` other than the primary one. ``sync_timeout_ns`` None: a set waits
    until each of its inputs has come, has been passed or has ended.
    """

    name: str
    type: str
    params: dict[str, Any]
    placement: Literal["process", "thread"] = "process"
    transport: Literal["ipc", "tcp"] = "ipc"
    bind: str | None = None
    curve: bool = False
    deadline_ns: int | None = None
    expected_rate: ExpectedRate | None = None
    hang_timeout_s: float = 10.0
    restart: Restart = Restart()
    sync_timeout_ns: int | None = None
    sync: dict[str, InputSync] = {}
    publish: Publish | None = None


class LeftOut(Struct, frozen=True, kw_only=True):
    """A node of the file that does not run here, and why."""

    node: str
    reason: str


class Graph(Struct, frozen=True, kw_only=True):
    """A checked graph, with ``nodes`` in topological order.

    ``resolved`` is the same graph as a graph file's plain data, every default, override and variable filled in and the
    nodes that are left out gone: saved as YAML, it loads as this graph.
    """

    name: str
    description: str
    nodes: dict[str, NodeSpec]
    edges: list[Edge]
    left_out: list[LeftOut]
    resolved: dict[str, Any]


def process_groups(graph: Graph) -> list[list[str]]:
    """Which nodes share a process: ``thread`` nodes along edges between them; each other node has one of its own."""
    group = {name: [name] for name in graph.nodes}
    for edge in graph.edges:
        both = graph.nodes[edge.source], graph.nodes[edge.target]
        if all(node.placement == "thread" for node in both) and group[edge.source] is not group[edge.target]:
            joined = group[edge.source] + group[edge.target]
            group.update(dict.fromkeys(joined, joined))
    order = list(graph.nodes)
    return [sorted(group[name], key=order.index) for name in order if min(group[name], key=order.index) == name]
