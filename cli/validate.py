"""``run.py validate``: check a graph file without starting anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parent.parent


def validate(
    config: Annotated[Path, typer.Argument(help="The graph file.")],
    data: Annotated[str | None, typer.Option(help="The recording: ${data} in the graph.")] = None,
    out: Annotated[Path | None, typer.Option(help="The output folder: ${out}; default out/<graph's name>.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: nodes.segmentation.params.knn=0")] = None,
) -> None:
    """Check a graph file, its node types, parameters and edges, and the files that it names."""
    from pipeline.graph import load_graph

    folder = (out or ROOT / "out" / config.stem).absolute()
    values = {"out": str(folder)} | ({"data": data} if data else {})
    graph = load_graph(config, values=values, overrides=set_ or (), default_policy="latest")
    typer.echo(f"ok: {_count(len(graph.nodes), 'node')}, {_count(len(graph.edges), 'edge')}")
    for absent in graph.left_out:
        typer.echo(f"left out: {absent.node}: {absent.reason}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
