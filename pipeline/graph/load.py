"""The graph file: which nodes run, what each takes from whom, and how. All of it is checked before a process starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from errors import UserError
from pipeline.graph.checks import (
    GraphNode,
    check_data,
    check_endpoints,
    check_inputs,
    check_keys,
    check_neighbours,
    find_nodes,
    left_out,
    read_entries,
    topological_order,
)
from pipeline.graph.endpoints import is_local
from pipeline.graph.entries import (
    ExpectedRate,
    InputEntry,
    InputSyncEntry,
    NodeEntry,
    Policy,
    PublishEntry,
    SyncEntry,
)
from pipeline.graph.file import read_document
from pipeline.graph.spec import Edge, Graph, InputSync, LeftOut, NodeSpec, Publish

QUEUE = {"latest": 1, "all": 4}
TIMEOUT_MS = 500.0


def load_graph(
    path: Path,
    *,
    values: Mapping[str, str],
    overrides: Sequence[str] = (),
    default_policy: Policy,
    node_package: str = "nodes",
    check_nodes: bool = True,
) -> Graph:
    """Read and check a graph file.

    ``values``: what ``${data}``, ``${out}`` and ``${root}`` stand for (``root``: this project, unless given).
    ``overrides``: ``nodes.segmentation.params.knn=0``. ``default_policy``: of edges and published outputs that do not
    name one, where the graph does not either. ``node_package`` holds the node types with short names. ``check_nodes``:
    also call each class's ``check()``, which looks at files; optional nodes whose data is absent are then left out.

    Raises :class:`errors.UserError` with up to five problems, each on a line of its own with file and path.
    """
    values = {"root": str(Path(__file__).resolve().parents[2]), **values}
    document, problems = read_document(path, values, overrides)
    graph, entries = read_entries(document, problems)
    nodes = find_nodes(entries, node_package, problems)
    for name, node in nodes.items():
        check_keys(name, node, problems)
        check_inputs(name, node, entries.keys(), nodes, problems)
    check_endpoints(nodes, problems)
    check_neighbours(nodes, problems)
    order = topological_order(nodes, problems)
    absent = check_data(nodes, problems) if check_nodes else {}
    problems.raise_if_any()

    reasons = left_out(order, nodes, absent)
    kept = {name: nodes[name] for name in order if name not in reasons}
    if not kept:
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise UserError(f"{path}: nothing is left to run: {why}")
    filled = {name: _fill(node, kept, graph.policy, default_policy) for name, node in kept.items()}
    return Graph(
        name=graph.name or path.stem,
        description=graph.description,
        nodes={name: _spec(name, entry) for name, entry in filled.items()},
        edges=[edge for name, entry in filled.items() for edge in _edges(name, entry)],
        left_out=[LeftOut(node=name, reason=reason) for name, reason in reasons.items()],
        resolved={
            "name": graph.name or path.stem,
            "description": graph.description,
            "nodes": {name: msgspec.to_builtins(entry) for name, entry in filled.items()},
        },
    )


# Resolving: what a file may leave out is filled in, in the file's own terms; then milliseconds become nanoseconds.


def _fill(
    node: GraphNode, kept: Mapping[str, GraphNode], graph_policy: Policy | None, default_policy: Policy
) -> NodeEntry:
    """The node's entry with nothing left open. Inputs from nodes that are not ``kept`` are gone."""
    entry, fallback = node.entry, graph_policy or default_policy
    inputs = {key: _fill_input(entry.inputs[key], fallback) for key, source in node.sources().items() if source in kept}
    # A run as fast as its slowest node has no measure of lateness: a set then waits for its inputs, and loses none.
    waits = default_policy == "all" and all(item.policy == "all" for item in inputs.values())
    bind, publish = entry.bind, entry.publish
    if publish is not None:
        curve = publish.curve or not is_local(publish.bind)
        publish = msgspec.structs.replace(publish, policy=publish.policy or fallback, curve=curve)
    expected = ExpectedRate(hz=entry.expect_hz) if isinstance(entry.expect_hz, float) else entry.expect_hz
    is_sink = node.type.signature.output is None
    return msgspec.structs.replace(
        entry,
        type=node.type.path,
        params=node.params,
        inputs=inputs,
        sync=_fill_sync(entry.sync or SyncEntry(), _same_clock(node, kept), waits),
        publish=publish,
        expect_hz=expected,
        transport=None if is_sink else bind.partition(":")[0] if bind else entry.transport or "ipc",
        curve=None if is_sink else bool(entry.curve) or (bind is not None and not is_local(bind)),
    )


def _fill_input(written: str | InputEntry, fallback: Policy) -> InputEntry:
    entry = InputEntry(from_=written) if isinstance(written, str) else written
    policy = entry.policy or fallback
    return InputEntry(from_=entry.from_, policy=policy, queue=entry.queue or QUEUE[policy])


def _same_clock(node: GraphNode, kept: Mapping[str, GraphNode]) -> dict[str, bool]:
    """Each input that is matched to the primary one: does it carry the very same measurements' stamps?

    A node's output keeps its primary input's stamp, so what descends from the same source along primary inputs matches
    exactly or not at all: a scan's labels are never another scan's, however near in time.
    """
    sources = {key: source for key, source in node.sources().items() if source in kept}
    if not sources:
        return {}
    primary, *others = sources
    return {key: _stamp_origin(sources[key], kept) == _stamp_origin(sources[primary], kept) for key in others}


def _stamp_origin(name: str, kept: Mapping[str, GraphNode]) -> str:
    """The source whose stamps the node's output carries."""
    inputs = kept[name].type.signature.inputs
    return _stamp_origin(kept[name].sources()[inputs[0].name], kept) if inputs else name


def _fill_sync(sync: SyncEntry, same_clock: dict[str, bool], waits: bool) -> SyncEntry | None:
    """``same_clock``: the connected inputs that are matched to the primary one, and whether their stamps are its."""
    if not same_clock:
        return None
    per_input = {}
    for name, exact in same_clock.items():
        own = sync.per_input.get(name, InputSyncEntry())
        tolerance_ms = own.tolerance_ms
        if tolerance_ms is None:
            tolerance_ms = 0.0 if exact else sync.tolerance_ms
        per_input[name] = msgspec.structs.replace(own, tolerance_ms=tolerance_ms)
    timeout_ms = sync.timeout_ms
    if timeout_ms is UNSET:
        timeout_ms = None if waits else TIMEOUT_MS
    return SyncEntry(tolerance_ms=sync.tolerance_ms, timeout_ms=timeout_ms, per_input=per_input)


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)


def _optional_ns(milliseconds: float | UnsetType | None) -> int | None:
    return _ns(milliseconds) if isinstance(milliseconds, float) else None


def _spec(name: str, entry: NodeEntry) -> NodeSpec:
    """A filled entry in the runtime's units."""
    sync = entry.sync
    return NodeSpec(
        name=name,
        type=entry.type,
        params=entry.params,
        placement=entry.placement,
        transport=entry.transport or "ipc",
        bind=entry.bind,
        curve=bool(entry.curve),
        deadline_ns=_optional_ns(entry.deadline_ms),
        expected_rate=entry.expect_hz if isinstance(entry.expect_hz, ExpectedRate) else None,
        hang_timeout_s=entry.hang_timeout_s,
        restart=entry.restart,
        sync_timeout_ns=_optional_ns(sync.timeout_ms) if sync else None,
        sync={key: _input_sync(item) for key, item in sync.per_input.items()} if sync else {},
        publish=_publish(entry.publish) if entry.publish else None,
    )


def _input_sync(entry: InputSyncEntry) -> InputSync:
    return InputSync(
        tolerance_ns=_ns(entry.tolerance_ms or 0.0),
        offset_ns=_ns(entry.offset_ms),
        period_ns=_optional_ns(entry.period_ms),
    )


def _publish(entry: PublishEntry) -> Publish:
    return Publish(
        bind=entry.bind,
        policy=entry.policy or "latest",
        queue=entry.queue,
        wait_for=entry.wait_for,
        stall_timeout_s=entry.stall_timeout_s,
        curve=bool(entry.curve),
    )


def _edges(target: str, entry: NodeEntry) -> list[Edge]:
    return [
        Edge(source=item.from_, target=target, input=key, policy=item.policy or "latest", queue=item.queue or 1)
        for key, item in entry.inputs.items()
        if isinstance(item, InputEntry)  # all of them, once filled
    ]
