"""The graphs that ship with the project, and the schema that editors check them with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.graph import load_graph, process_groups
from pipeline.graph.schema import json_schema

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = sorted((ROOT / "configs" / "pipelines").glob("*.yaml"))
SCHEMA = ROOT / "configs" / "pipelines" / "graph.schema.json"
VALUES = {"data": "/data", "out": "/out"}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_up_to_date() -> None:
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(json_schema())), (
        "the nodes or the graph file have changed: python run.py graph --schema > configs/pipelines/graph.schema.json"
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_shipped_graphs_load_and_fit_the_schema(config: Path, validator: jsonschema.Draft202012Validator) -> None:
    text = config.read_text()
    assert text.startswith("# yaml-language-server: $schema=graph.schema.json\n")
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    for policy in ("latest", "all"):
        graph = load_graph(config, values=VALUES, default_policy=policy, check_nodes=False)  # type: ignore[arg-type]
        assert graph.name == config.stem
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(graph.resolved)))] == []


def _lidar(**changes: Any) -> dict[str, Any]:
    return {"nodes": {"lidar": {"type": "lidar_source", "params": {"path": "x"}} | changes}}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"nodes": {}},
        {"nodes": {"a-b": {"type": "some.module:Class"}}},
        {"nodes": {"a": {"type": "no_such_type"}}},
        _lidar() | {"policy": "newest"},
        _lidar(params={}),
        _lidar(params={"path": 3}),
        _lidar(params={"path": "x", "paht": "x"}),
        _lidar(inputs={"scan": "lidar"}),
        _lidar(optionel=True),
        _lidar(deadline_ms=-1),
        _lidar(expect_hz={"tolerance": 0.1}),
        {"nodes": {"labels": {"type": "label_sink", "params": {"out": "x"}}}},
        {"nodes": {"labels": {"type": "label_sink", "params": {"out": "x"}, "inputs": {"fussed": "fusion"}}}},
        {"nodes": {"f": {"type": "fusion", "inputs": {"scan": {"from": "lidar", "queue": 0}}}}},
    ],
    ids=str,
)
def test_the_schema_refuses(document: dict[str, Any], validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(document)


def test_the_schema_knows_nothing_of_other_peoples_nodes(validator: jsonschema.Draft202012Validator) -> None:
    document = {"nodes": {"mine": {"type": "some.module:Class", "params": {"anything": [1]}, "inputs": {"x": "y"}}}}
    assert validator.is_valid(document)


def _load(name: str) -> Any:
    return load_graph(
        ROOT / "configs" / "pipelines" / f"{name}.yaml", values=VALUES, default_policy="latest", check_nodes=False
    )


def test_threads_share_one_process() -> None:
    way_of_a_scan = ["lidar", "projection", "segmentation", "fusion"]
    assert way_of_a_scan in process_groups(_load("lidar"))
    groups = process_groups(_load("kitti"))
    assert sorted(groups, key=len)[-1] == way_of_a_scan
    assert [len(group) for group in groups].count(1) == len(groups) - 1


def test_secure_tcp_is_encrypted() -> None:
    nodes = _load("secure-tcp").nodes
    assert {name for name, node in nodes.items() if node.transport == "tcp" and node.curve} == {"lidar", "projection"}
    assert nodes["fusion"].publish.curve


def test_a_recording_without_images_plays_without_them(shared_data: Path, tmp_path: Path) -> None:
    """The data check of the real sources; the model, which may not be there, is not looked at."""
    document = yaml.safe_load((ROOT / "configs" / "pipelines" / "lidar.yaml").read_text())
    for name in ("projection", "segmentation"):
        del document["nodes"][name]
    document["nodes"]["camera"] = {"type": "camera_source", "optional": True, "params": {"path": "${data}"}}
    document["nodes"]["fusion"] |= {"inputs": {"scan": "lidar", "image": "camera"}}
    path = tmp_path / "graph.yaml"
    path.write_text(yaml.safe_dump(document))
    drive = shared_data / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_unknown_sync"
    for data, left_out in ((drive, []), (shared_data / "semantickitti" / "sequences" / "04", ["camera"])):
        values = {"data": str(data), "out": str(tmp_path / "out")}
        graph = load_graph(path, values=values, default_policy="latest")
        assert [left.node for left in graph.left_out] == left_out
