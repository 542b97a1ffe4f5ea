"""A graph as a drawing that Markdown viewers show."""

from __future__ import annotations

from pipeline.graph.spec import Graph, NodeSpec, process_groups
from pipeline.node import load_node_class, node_signature


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart: nodes with their class, edges with message type and policy, processes that
    several nodes share as boxes, published outputs, and what is left out."""
    lines = ["flowchart LR"]
    for number, names in enumerate(process_groups(graph)):
        shapes = [_shape(graph.nodes[name]) for name in names]
        if len(shapes) == 1:
            lines.append(f"    {shapes[0]}")
        else:
            lines.append(f'    subgraph process_{number} ["one process"]')
            lines += [f"        {shape}" for shape in shapes]
            lines.append("    end")
    for edge in graph.edges:
        carries = f"{_output(graph.nodes[edge.source])}<br/>{edge.policy}, queue {edge.queue}"
        lines.append(f'    n_{edge.source} -->|"{carries}"| n_{edge.target}')
    for name, node in graph.nodes.items():
        if node.publish is not None:
            bind = node.publish.bind.replace('"', "#quot;")
            lines.append(f'    n_{name} -.->|"{_output(node)}<br/>{node.publish.policy}"| p_{name}(["{bind}"])')
    for absent in graph.left_out:
        reason = absent.reason.replace('"', "#quot;")
        lines.append(f'    n_{absent.node}["{absent.node}<br/>left out: {reason}"]:::left_out')
    if graph.left_out:
        lines.append("    classDef left_out stroke-dasharray: 4 4")
    return "\n".join(lines) + "\n"


def _shape(node: NodeSpec) -> str:
    """A node's box: rounded for a source, plain for processing, slanted for a sink. ``n_`` keeps ``end`` a name."""
    signature = node_signature(load_node_class(node.type))
    label = f'"{node.name}<br/>{node.type.partition(":")[2]}"'
    if signature.is_source:
        return f"n_{node.name}({label})"
    return f"n_{node.name}[/{label}/]" if signature.output is None else f"n_{node.name}[{label}]"


def _output(node: NodeSpec) -> str:
    output = node_signature(load_node_class(node.type)).output
    return output.__name__ if output else ""
