"""``validate`` and ``graph`` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.graph import graph
from cli.validate import validate
from errors import UserError

NODES = "tests.support.graph_nodes"
TEXT = f"""
nodes:
  lidar: {{type: "{NODES}:Lidar", params: {{path: "${{data}}"}}}}
  camera: {{type: "{NODES}:Camera", params: {{path: "${{data}}"}}, optional: true}}
  projection: {{type: "{NODES}:Projection", inputs: {{scan: lidar}}}}
"""

app = typer.Typer()
app.command()(validate)
app.command()(graph)


def call(*arguments: str | Path) -> str:
    """The output; a UserError, which run.py shows, goes through."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "drive.yaml"
    path.write_text(TEXT)
    return path


def test_validate_counts_and_names_what_is_left_out(config: Path, tmp_path: Path) -> None:
    lines = call("validate", config, "--data", tmp_path).splitlines()
    assert lines == ["ok: 2 nodes, 1 edge", f"left out: camera: {tmp_path} has no images"]


def test_validate_tells_what_is_wrong(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --data PATH"):
        call("validate", config)
    with pytest.raises(UserError, match=r"nodes\.projection\.params\.width \(--set\): expected a whole number"):
        call("validate", config, "--data", tmp_path, "--set", "nodes.projection.params.width=wide")


def test_graph_draws_without_a_recording(config: Path, tmp_path: Path) -> None:
    drawing = call("graph", config)
    assert drawing.startswith("flowchart LR\n")
    assert 'n_camera("camera<br/>Camera")' in drawing
    assert "left out" not in drawing
    assert "left out" in call("graph", config, "--data", tmp_path)


def test_graph_prints_the_schema() -> None:
    assert "NodeEntry" in json.loads(call("graph", "--schema"))["$defs"]
    with pytest.raises(UserError, match="name a graph file"):
        call("graph")
