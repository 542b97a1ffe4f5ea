"""``run.py graph``: draw a graph file, or print the JSON Schema of all graph files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from errors import UserError


def graph(
    config: Annotated[Path | None, typer.Argument(help="The graph file.")] = None,
    data: Annotated[str | None, typer.Option(help="The recording: shows what would be left out for it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The output folder: ${out} in the graph.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override: nodes.segmentation.params.knn=0")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of graph files instead.")] = False,
) -> None:
    """Print a graph as a Mermaid flowchart."""
    from pipeline.graph import load_graph, mermaid
    from pipeline.graph.schema import json_schema

    if schema:
        typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if config is None:
        raise UserError("graph: name a graph file, such as configs/pipelines/kitti.yaml, or give --schema")
    # A drawing needs no recording: what is not given is drawn as it is written.
    values = {"data": data or "${data}", "out": str(out or "${out}")}
    loaded = load_graph(
        config, values=values, overrides=set_ or (), default_policy="latest", check_nodes=data is not None
    )
    typer.echo(mermaid(loaded), nl=False)
