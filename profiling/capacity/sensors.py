"""The sensors of a graph: how fast they are, and the graph with more of them or with longer recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from errors import UserError
from pipeline.graph import Graph, NodeSpec
from pipeline.messages import FusedFrame
from pipeline.node import Skipped, load_node_class, node_signature
from profiling.capacity.looped import played_once

RATES_DIFFER = 0.02  # relative; sensors further apart are not frames of one rate
LOOPED = "profiling.capacity.looped:Looped"


class Recording(NamedTuple):
    """What all sources of a graph have in common: ``frames`` of each, ``rate_hz``, and ``period_ns``, after which the
    recording can begin again."""

    frames: int
    rate_hz: float
    period_ns: int


def read_recording(graph: Graph) -> Recording:
    """Read every source's recording once, for its stamps.

    Raises :class:`errors.UserError` where there is nothing to play, a source is live, or sources differ in their rate.
    """
    stamps_ns = {name: _stamps_ns(node) for name, node in _sources(graph).items()}
    for name, stamps in stamps_ns.items():
        if len(stamps) < 2:
            raise UserError(f"node {name}: {len(stamps)} frames have no rate; give a recording of at least 2")
    rates_hz = {name: (len(stamps) - 1) * 1e9 / (stamps[-1] - stamps[0]) for name, stamps in stamps_ns.items()}
    lowest, highest = min(rates_hz, key=rates_hz.__getitem__), max(rates_hz, key=rates_hz.__getitem__)
    if rates_hz[highest] > rates_hz[lowest] * (1 + RATES_DIFFER):
        rates = " and ".join(f"{name} at {rates_hz[name]:.3g}" for name in (lowest, highest))
        raise UserError(f"sources of different rates, {rates} frames/s; capacity is of one: leave one out of the graph")
    rate_hz = rates_hz[lowest]
    first_ns, last_ns = min(s[0] for s in stamps_ns.values()), max(s[-1] for s in stamps_ns.values())
    return Recording(min(map(len, stamps_ns.values())), rate_hz, round(last_ns - first_ns + 1e9 / rate_hz))


def fused_nodes(graph: Graph) -> list[str]:
    """The nodes that emit fused frames. Raises :class:`errors.UserError` where there is none."""
    names = [n for n, spec in graph.nodes.items() if node_signature(load_node_class(spec.type)).output is FusedFrame]
    if not names:
        raise UserError(f"graph {graph.name}: no node emits fused frames, whose latency is bounded; add a fusion node")
    return names


def looped(graph: Graph, recording: Recording, frames: int) -> Graph:
    """The graph with each source's recording repeated until there are ``frames`` of it."""
    times = -(-frames // recording.frames)
    if times <= 1:
        return graph
    nodes = dict(graph.nodes)
    for name, node in _sources(graph).items():
        params = {"type": node.type, "params": node.params, "period_ns": recording.period_ns, "times": times}
        nodes[name] = msgspec.structs.replace(node, type=LOOPED, params=params)
    return msgspec.structs.replace(graph, nodes=nodes)


def side_by_side(graphs: Sequence[Graph]) -> Graph:
    """Several graphs as one that shares nothing: node ``lidar`` of the second becomes ``lidar_2``.

    Raises :class:`errors.UserError` where two would listen at the same place.
    """
    if len(graphs) == 1:
        return graphs[0]
    numbered = [_numbered(graph, number) for number, graph in enumerate(graphs, start=1)]
    merged = msgspec.structs.replace(
        graphs[0],
        nodes={name: node for graph in numbered for name, node in graph.nodes.items()},
        edges=[edge for graph in numbered for edge in graph.edges],
    )
    _require_own_endpoints(merged)
    return merged


def _numbered(graph: Graph, number: int) -> Graph:
    nodes = {f"{name}_{number}": node for name, node in graph.nodes.items()}
    return msgspec.structs.replace(
        graph,
        nodes={name: msgspec.structs.replace(node, name=name) for name, node in nodes.items()},
        edges=[
            msgspec.structs.replace(edge, source=f"{edge.source}_{number}", target=f"{edge.target}_{number}")
            for edge in graph.edges
        ],
    )


def _require_own_endpoints(graph: Graph) -> None:
    taken: dict[str, str] = {}
    for name, node in graph.nodes.items():
        for bind in filter(None, (node.bind, node.publish and node.publish.bind)):
            if bind in taken and not bind.endswith(":*"):
                raise UserError(f"nodes {taken[bind]} and {name} both listen at {bind}; use ipc://${{out}}/… or port *")
            taken[bind] = name


def _sources(graph: Graph) -> dict[str, NodeSpec]:
    return {n: spec for n, spec in graph.nodes.items() if node_signature(load_node_class(spec.type)).is_source}


def _stamps_ns(node: NodeSpec) -> list[int]:
    source = load_node_class(node.type)(**node.params)
    if getattr(source, "live", False):
        raise UserError(f"node {node.name}: a live sensor has the rate that it has; give a recording")
    return [message.header.stamp_ns for message in played_once(source) if not isinstance(message, Skipped)]
