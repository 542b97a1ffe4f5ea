"""What must hold between the nodes of a graph file. Each check notes every problem that it finds."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from errors import DataAbsentError, UserError
from pipeline.graph.endpoints import collide, endpoint_problem, is_local
from pipeline.graph.entries import GraphEntry, InputEntry, NodeEntry, convert
from pipeline.graph.nodes import NodeType, check_params, find_node
from pipeline.graph.problems import Problems, nearest

NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
OUTPUT_KEYS = ("publish", "transport", "bind", "curve", "expect_hz")


class GraphNode(Struct, frozen=True):
    """What the file says of a node, the class behind it, and its parameters with defaults (None: wrong ones)."""

    entry: NodeEntry
    type: NodeType
    params: dict[str, Any] | None

    def sources(self) -> dict[str, str]:
        """Input → the node whose output it takes, in the order of ``process()``'s parameters."""
        given = {name: source_of(entry) for name, entry in self.entry.inputs.items()}
        return {item.name: given[item.name] for item in self.type.signature.inputs if item.name in given}


def source_of(entry: str | InputEntry) -> str:
    """The node that an edge of the file, in either form, comes from."""
    return entry if isinstance(entry, str) else entry.from_


def read_entries(document: dict[str, Any], problems: Problems) -> tuple[GraphEntry, dict[str, NodeEntry | None]]:
    """The file's own keys, and its nodes: None for one that is not well-formed, so that the others can be checked."""
    written = document.get("nodes")
    if not isinstance(written, dict) or not written:
        problems.add("nodes", "the graph has no nodes; expected a mapping from each node's name to its 'type'")
        written = {}
    graph = convert({**document, "nodes": {}}, GraphEntry, "", problems)
    entries: dict[str, NodeEntry | None] = {}
    for name, entry in written.items():
        if not NODE_NAME.fullmatch(name):
            problems.add(f"nodes.{name}", "a node's name is a letter, then letters, digits and _, 64 at most")
        entries[name] = convert(entry, NodeEntry, f"nodes.{name}", problems)
    return graph or GraphEntry(nodes={}), entries


def find_nodes(entries: Mapping[str, NodeEntry | None], node_package: str, problems: Problems) -> dict[str, GraphNode]:
    """The nodes whose entry and class are sound, in the order of the file."""
    nodes = {}
    for name, entry in entries.items():
        if entry is None:
            continue
        try:
            node_type = find_node(entry.type, node_package)
        except UserError as error:
            problems.add(f"nodes.{name}.type", str(error))
            continue
        params = check_params(node_type, entry.params, f"nodes.{name}.params", problems)
        nodes[name] = GraphNode(entry, node_type, params)
    return nodes


def check_keys(name: str, node: GraphNode, problems: Problems) -> None:
    """Keys that a node of this kind (source, processing node, sink) cannot have."""
    entry, signature, path = node.entry, node.type.signature, f"nodes.{name}"
    if signature.is_source and entry.inputs:
        problems.add(f"{path}.inputs", f"{node.type.path} is a source and takes no inputs")
    if not signature.is_source and entry.deadline_ms is not None:
        problems.add(f"{path}.deadline_ms", "a deadline is set by a source; give it to the node that reads the data")
    if signature.output is None:
        for key in OUTPUT_KEYS:
            if getattr(entry, key) is not None:
                problems.add(f"{path}.{key}", f"{node.type.path} is a sink: it has no output to send")
    if entry.sync is None:
        return
    others = [item.name for item in signature.inputs[1:]]
    if not others:
        problems.add(f"{path}.sync", f"{node.type.path} does not have several inputs: there is nothing to synchronise")
        return
    for key in entry.sync.per_input:
        if key == signature.inputs[0].name:
            problems.add(f"{path}.sync.per_input.{key}", "is the primary input, to which the others are synchronised")
        elif key not in others:
            problems.add(f"{path}.sync.per_input.{key}", f"{node.type.path} has no such input{nearest(key, others)}")


def check_inputs(
    name: str, node: GraphNode, names: Iterable[str], nodes: Mapping[str, GraphNode], problems: Problems
) -> None:
    """Each input of a node comes from a node (of ``names``) that gives what it needs; no required input is open."""
    known = {item.name: item for item in node.type.signature.inputs}
    for key, written in node.entry.inputs.items():
        path, source = f"nodes.{name}.inputs.{key}", source_of(written)
        if key not in known and known:
            problems.add(path, f"{node.type.path} has no such input{nearest(key, known)}")
        elif source not in names:
            problems.add(path, f"no node {source!r} in the graph{nearest(source, names)}")
        elif source in nodes and known:
            output, needed = nodes[source].type.signature.output, known[key].type
            if output is None:
                problems.add(path, f"{source!r} is a sink: it has no output to take")
            elif not issubclass(output, needed):
                giving = [n for n, other in nodes.items() if issubclass(other.type.signature.output or object, needed)]
                hint = f"; {', '.join(giving)} gives that" if giving else ""
                edge = f"edge {source} -> {name}.{key}"
                problems.add("", f"{edge}: carries {output.__name__}, needs {needed.__name__}{hint}")
    for item in known.values():
        if not item.optional and item.name not in node.entry.inputs:
            problems.add(f"nodes.{name}.inputs", f"{item.name!r} ({item.type.__name__}) is not connected")


def check_endpoints(nodes: Mapping[str, GraphNode], problems: Problems) -> None:
    """Endpoints are well-formed, bound once, and encrypted where another machine can reach them."""
    bound: dict[str, str] = {}
    for name, node in nodes.items():
        entry, path = node.entry, f"nodes.{name}"
        written = [(f"{path}.bind", entry.bind, entry.curve)]
        if entry.publish is not None:
            written.append((f"{path}.publish.bind", entry.publish.bind, entry.publish.curve))
        for where, endpoint, curve in written:
            if endpoint is None:
                continue
            if problem := endpoint_problem(endpoint):
                problems.add(where, problem)
                continue
            _check_curve(where.removesuffix("bind") + "curve", endpoint, curve, problems)
            for other, taken in bound.items():
                if collide(endpoint, taken):
                    problems.add(where, f"{endpoint} is already bound by {other}")
            bound[where] = endpoint
        scheme = entry.bind.partition(":")[0] if entry.bind else entry.transport or "ipc"
        if entry.transport is not None and entry.transport != scheme:
            problems.add(f"{path}.transport", f"is {entry.transport}, but bind is {entry.bind}")
        if entry.curve and entry.bind is None and scheme != "tcp":
            problems.add(f"{path}.curve", "encryption is for tcp; this output does not leave the machine")


def check_neighbours(nodes: Mapping[str, GraphNode], problems: Problems) -> None:
    """Where all who take an output share its node's process no socket carries it, so none can be chosen."""
    takers: dict[str, list[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        for source in node.sources().values():
            takers.get(source, []).append(name)
    for name, node in nodes.items():
        everyone = [name, *takers[name]]
        if not takers[name] or any(nodes[each].entry.placement != "thread" for each in everyone):
            continue
        given = {"transport": node.entry.transport == "tcp", "bind": node.entry.bind, "curve": node.entry.curve}
        for key, chosen in given.items():
            if chosen:
                whom = " and ".join(dict.fromkeys(takers[name]))
                problems.add(
                    f"nodes.{name}.{key}",
                    f"has no effect: {whom} in the same process get this output without a socket; remove it, or give "
                    f"{name} placement: process",
                )


def _check_curve(path: str, endpoint: str, curve: bool | None, problems: Problems) -> None:
    if curve is False and not is_local(endpoint):
        problems.add(path, f"other machines can reach {endpoint}, so encryption (CURVE) cannot be switched off")
    if curve and endpoint.startswith("ipc:"):
        problems.add(path, "encryption is for tcp; this output does not leave the machine")


def topological_order(nodes: Mapping[str, GraphNode], problems: Problems) -> list[str]:
    """The nodes, each after those it takes from, otherwise in the order of the file. A cycle is a problem."""
    position = {name: index for index, name in enumerate(nodes)}
    waits_for = {name: {s for s in node.sources().values() if s in nodes} for name, node in nodes.items()}
    takers: dict[str, list[str]] = {name: [] for name in nodes}
    for name, sources in waits_for.items():
        for source in sources:
            takers[source].append(name)
    ready = [position[name] for name, sources in waits_for.items() if not sources]
    names, order = list(nodes), []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for taker in takers[name]:
            waits_for[taker].discard(name)
            if not waits_for[taker]:
                heapq.heappush(ready, position[taker])
    if len(order) < len(nodes):
        problems.add("nodes", f"the edges run in a circle: {' -> '.join(_cycle(waits_for))}")
    return order


def _cycle(waits_for: Mapping[str, set[str]]) -> list[str]:
    """One cycle along the edges' direction, its first node repeated at the end. ``waits_for`` has at least one."""
    name = next(name for name, sources in waits_for.items() if sources)
    walked: list[str] = []
    while name not in walked:
        walked.append(name)
        name = min(waits_for[name])
    cycle = walked[walked.index(name) :]
    start = min(range(len(cycle)), key=lambda index: cycle[index])
    forward = [*cycle[start:], *cycle[:start], cycle[start]]
    return forward[::-1]


def check_data(nodes: Mapping[str, GraphNode], problems: Problems) -> dict[str, str]:
    """Call each class's ``check()``. Returns the optional nodes whose data the recording lacks, with the reason."""
    absent = {}
    for name, node in nodes.items():
        if node.params is None or not hasattr(node.type.cls, "check"):
            continue
        try:
            node.type.cls.check(**node.params)
        except DataAbsentError as error:
            if node.entry.optional:
                absent[name] = str(error)
            else:
                problems.add(f"nodes.{name}", str(error))
        except UserError as error:
            problems.add(f"nodes.{name}", str(error))
    return absent


def left_out(order: Iterable[str], nodes: Mapping[str, GraphNode], absent: Mapping[str, str]) -> dict[str, str]:
    """``absent``, and every node that cannot do without one that is left out, with the reason."""
    reasons: dict[str, str] = {}
    for name in order:
        sources = nodes[name].sources()
        required = [item.name for item in nodes[name].type.signature.inputs if not item.optional]
        missing = [sources[key] for key in required if sources[key] in reasons]
        if name in absent:
            reasons[name] = absent[name]
        elif missing:
            reasons[name] = f"needs {missing[0]}"
    return reasons
