"""Graphs: the file and its checks (``load.py`` does all of it), and what comes of it (``spec.py``)."""

from pipeline.graph.entries import ExpectedRate, Restart
from pipeline.graph.load import load_graph
from pipeline.graph.mermaid import mermaid
from pipeline.graph.spec import (
    Edge,
    Graph,
    InputSync,
    LeftOut,
    NodeSpec,
    Publish,
    process_groups,
)

__all__ = [
    "Edge",
    "ExpectedRate",
    "Graph",
    "InputSync",
    "LeftOut",
    "NodeSpec",
    "Publish",
    "Restart",
    "load_graph",
    "mermaid",
    "process_groups",
]
