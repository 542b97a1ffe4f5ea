"""Graph files: what they resolve to, and what is said of each mistake."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import UserError
from pipeline.graph import Edge, ExpectedRate, Graph, InputSync, LeftOut, load_graph, mermaid, process_groups

NODES = "tests.support.graph_nodes"
BASE: dict[str, Any] = {
    "name": "test",
    "nodes": {
        "lidar": {"type": f"{NODES}:Lidar", "params": {"path": "${data}"}},
        "camera": {"type": f"{NODES}:Camera", "params": {"path": "${data}"}, "optional": True},
        "projection": {"type": f"{NODES}:Projection", "inputs": {"scan": "lidar"}, "params": {"height": 64}},
        "segmentation": {"type": f"{NODES}:Segmentation", "inputs": {"range_image": "projection"}},
        "fusion": {
            "type": f"{NODES}:Fusion",
            "inputs": {"scan": "lidar", "semantics": "segmentation", "image": "camera"},
            "publish": {"bind": "ipc://${out}/fused.sock"},
        },
        "sink": {"type": f"{NODES}:Sink", "inputs": {"frame": "fusion"}, "params": {"out": "${out}/x"}},
    },
}

Change = Callable[[dict[str, Any]], object]


def changed(change: Change | None = None) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    if change is not None:
        change(document)
    return document


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording that has both LiDAR and images, as far as the test nodes look."""
    (tmp_path / "drive" / "images").mkdir(parents=True)
    return tmp_path / "drive"


def write(folder: Path, document: Any) -> Path:
    path = folder / "graph.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
    return path


def load(path: Path, data: Path | None, default_policy: str = "latest", **options: Any) -> Graph:
    values = {"out": "/run/out"} | ({"data": str(data)} if data else {})
    return load_graph(path, values=values, default_policy=default_policy, **options)  # type: ignore[arg-type]


# What a good file becomes


def test_every_default_is_filled_in(tmp_path: Path, recording: Path) -> None:
    graph = load(write(tmp_path, BASE), recording)
    assert graph.name == "test"
    assert list(graph.nodes) == ["lidar", "camera", "projection", "segmentation", "fusion", "sink"]
    assert graph.edges[0] == Edge(source="lidar", target="projection", input="scan", policy="latest", queue=1)
    assert [edge.source for edge in graph.edges if edge.target == "fusion"] == ["lidar", "segmentation", "camera"]
    assert graph.left_out == []
    fusion = graph.nodes["fusion"]
    assert fusion.sync == {
        "semantics": InputSync(tolerance_ns=0),
        "image": InputSync(tolerance_ns=50_000_000),
    }
    assert fusion.sync_timeout_ns == 500_000_000
    assert fusion.publish is not None
    assert (fusion.publish.bind, fusion.publish.policy, fusion.publish.queue) == (
        "ipc:///run/out/fused.sock",
        "latest",
        8,
    )
    assert graph.nodes["lidar"].params == {"path": str(recording), "nominal_rate_hz": 10.0}
    assert graph.nodes["projection"].params == {"height": 64, "width": 512, "fov_deg": (3.0, -25.0)}


def test_policy_of_an_edge_is_its_own_then_the_graphs_then_the_runs(tmp_path: Path, recording: Path) -> None:
    def policies(change: Change | None, default_policy: str) -> dict[str, tuple[str, int]]:
        graph = load(write(tmp_path, changed(change)), recording, default_policy)
        return {f"{edge.target}.{edge.input}": (edge.policy, edge.queue) for edge in graph.edges}

    def one_latest(document: dict[str, Any]) -> None:
        document["policy"] = "all"
        document["nodes"]["projection"]["inputs"] = {"scan": {"from": "lidar", "policy": "latest", "queue": 3}}

    assert set(policies(None, "latest").values()) == {("latest", 1)}
    assert set(policies(None, "all").values()) == {("all", 4)}
    given_policies = policies(one_latest, "latest")
    assert given_policies.pop("projection.scan") == ("latest", 3)
    assert set(given_policies.values()) == {("all", 4)}


@pytest.mark.parametrize(
    ("default_policy", "fusion", "timeout_ns"),
    [
        ("latest", {}, 500_000_000),
        ("all", {}, None),
        ("all", {"sync": {"timeout_ms": 250}}, 250_000_000),
        ("latest", {"sync": {"timeout_ms": None}}, None),
        ("all", {"inputs": {"scan": "lidar", "semantics": {"from": "segmentation", "policy": "latest"}}}, 500_000_000),
    ],
)
def test_a_lossless_run_waits_for_its_inputs(
    tmp_path: Path, recording: Path, default_policy: str, fusion: dict[str, Any], timeout_ns: int | None
) -> None:
    document = changed(lambda d: d["nodes"]["fusion"].update(fusion))
    assert load(write(tmp_path, document), recording, default_policy).nodes["fusion"].sync_timeout_ns == timeout_ns


def test_sync_of_one_input(tmp_path: Path, recording: Path) -> None:
    sync = {"tolerance_ms": 20, "per_input": {"image": {"offset_ms": -12.5, "period_ms": 100, "tolerance_ms": 0}}}
    document = changed(lambda d: d["nodes"]["fusion"].update(sync=sync))
    assert load(write(tmp_path, document), recording).nodes["fusion"].sync == {
        "semantics": InputSync(tolerance_ns=0),
        "image": InputSync(tolerance_ns=0, offset_ns=-12_500_000, period_ns=100_000_000),
    }


def test_an_input_of_the_same_source_matches_exactly_unless_told_otherwise(tmp_path: Path, recording: Path) -> None:
    def tolerances(change: Change) -> dict[str, int]:
        sync = load(write(tmp_path, changed(change)), recording).nodes["fusion"].sync
        return {key: entry.tolerance_ns // 1_000_000 for key, entry in sync.items()}

    def other_source(document: dict[str, Any]) -> None:
        document["nodes"]["second"] = {"type": f"{NODES}:Lidar", "params": {"path": "${data}"}}
        document["nodes"]["filter"] = {"type": f"{NODES}:Filter", "inputs": {"scan": "second"}}
        document["nodes"]["fusion"]["inputs"]["scan"] = "filter"

    assert tolerances(node("fusion", sync={"tolerance_ms": 20})) == {"semantics": 0, "image": 20}
    assert tolerances(node("fusion", sync={"per_input": {"semantics": {"tolerance_ms": 30}}}))["semantics"] == 30
    assert tolerances(other_source) == {"semantics": 50, "image": 50}


def test_the_resolved_graph_loads_as_the_same_graph(tmp_path: Path, recording: Path) -> None:
    def full(document: dict[str, Any]) -> None:
        nodes = document["nodes"]
        nodes["lidar"] |= {
            "deadline_ms": 80,
            "transport": "tcp",
            "curve": True,
            "expect_hz": {"hz": 10, "tolerance": 0.2},
        }
        nodes["projection"] |= {"placement": "thread", "bind": "tcp://127.0.0.1:5001", "restart": {"limit": 0}}
        nodes["fusion"]["publish"] |= {"bind": "tcp://*:5002", "wait_for": 1}
        nodes["images"] = {"type": f"{NODES}:ImageSink", "inputs": {"image": "camera"}}

    for policy in ("latest", "all"):
        graph = load(write(tmp_path, changed(full)), recording, policy)
        again = load(write(tmp_path, graph.resolved), None)
        assert again.nodes == graph.nodes
        assert again.edges == graph.edges
        assert again.resolved == graph.resolved


def test_nodes_come_after_those_they_take_from(tmp_path: Path, recording: Path) -> None:
    document = changed()
    document["nodes"] = dict(reversed(document["nodes"].items()))
    graph = load(write(tmp_path, document), recording)
    order = list(graph.nodes)
    assert order == ["camera", "lidar", "projection", "segmentation", "fusion", "sink"]
    assert all(order.index(edge.source) < order.index(edge.target) for edge in graph.edges)


@pytest.mark.parametrize(
    ("endpoint", "curve"),
    [
        ("tcp://127.0.0.1:5000", False),
        ("tcp://127.8.8.8:5000", False),
        ("tcp://localhost:5000", False),
        ("tcp://[::1]:5000", False),
        ("ipc:///tmp/x.sock", False),
        ("tcp://*:5000", True),
        ("tcp://0.0.0.0:5000", True),
        ("tcp://[::]:5000", True),
        ("tcp://192.168.1.4:*", True),
        ("tcp://camera-host:5000", True),
    ],
)
def test_whatever_leaves_the_machine_is_encrypted(tmp_path: Path, recording: Path, endpoint: str, curve: bool) -> None:
    def bind(document: dict[str, Any]) -> None:
        document["nodes"]["fusion"]["publish"]["bind"] = endpoint
        document["nodes"]["lidar"]["bind"] = endpoint.replace("5000", "5001").replace("x.sock", "y.sock")

    nodes = load(write(tmp_path, changed(bind)), recording).nodes
    assert nodes["lidar"].curve is curve
    assert nodes["lidar"].transport == endpoint.partition(":")[0]
    assert nodes["fusion"].publish is not None
    assert nodes["fusion"].publish.curve is curve


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, recording: Path) -> None:
    text = yaml.safe_dump(changed(), sort_keys=False)
    text = text.replace("path: ${data}", "path: ${data}\n      nominal_rate_hz: 1e1", 1)
    text = text.replace("name: test", "name: no\ndescription: 2011_09_26")
    graph = load(write(tmp_path, text), recording)
    assert (graph.name, graph.description) == ("no", "2011_09_26")
    assert graph.nodes["lidar"].params["nominal_rate_hz"] == 10.0


def test_short_names_are_files_of_the_node_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "somebodys_nodes"
    package.mkdir()
    (package / "__init__.py").touch()
    source = (
        "from collections.abc import Iterator\nfrom pipeline.messages import LidarScan\n\nclass {}:\n"
        "    def messages(self) -> Iterator[LidarScan]: ...\n"
    )
    (package / "radar.py").write_text(source.format("Radar"))
    (package / "twins.py").write_text(source.format("First") + source.format("Second").partition("\n\n")[2])
    (package / "broken.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)

    def load_type(name: str) -> Graph:
        path = write(tmp_path, {"nodes": {"a": {"type": name}}})
        return load(path, None, node_package="somebodys_nodes")

    assert load_type("radar").nodes["a"].type == "somebodys_nodes.radar:Radar"
    for name, message in {
        "radr": "nodes.a.type: no node type 'radr'; did you mean radar?",
        "twins": "has several node classes (First, Second); name one as somebodys_nodes.twins:Class",
        "broken": "somebodys_nodes.broken cannot be imported: ModuleNotFoundError: No module named 'no_such_library'",
        "somebodys_nodes.radar:Rader": "has no class 'Rader'; did you mean Radar?",
    }.items():
        with pytest.raises(UserError) as error:
            load_type(name)
        assert message in str(error.value)


# What is left out


def test_a_node_without_data_is_left_out_with_what_needs_it(tmp_path: Path) -> None:
    document = changed(
        lambda d: d["nodes"].update(images={"type": f"{NODES}:ImageSink", "inputs": {"image": "camera"}})
    )
    graph = load(write(tmp_path, document), tmp_path)
    assert graph.left_out == [
        LeftOut(node="camera", reason=f"{tmp_path} has no images"),
        LeftOut(node="images", reason="needs camera"),
    ]
    assert {edge.input for edge in graph.edges if edge.target == "fusion"} == {"scan", "semantics"}
    assert set(graph.nodes["fusion"].sync) == {"semantics"}
    assert "camera" not in graph.resolved["nodes"]


def test_leaving_out_goes_on_along_required_inputs(tmp_path: Path) -> None:
    def only_camera(document: dict[str, Any]) -> None:
        nodes = document["nodes"]
        nodes["lidar"] = nodes.pop("camera") | {"type": f"{NODES}:AbsentLidar"}
        del nodes["fusion"]["inputs"]["image"]
        nodes["other"] = {"type": f"{NODES}:Lidar", "params": {"path": "${data}"}}

    graph = load(write(tmp_path, changed(only_camera)), tmp_path)
    reasons = {left.node: left.reason for left in graph.left_out}
    assert reasons.pop("lidar") == f"{tmp_path} has no scans"
    assert reasons == {
        "projection": "needs lidar",
        "segmentation": "needs projection",
        "fusion": "needs lidar",
        "sink": "needs fusion",
    }
    assert list(graph.nodes) == ["other"]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    nodes = {"camera": BASE["nodes"]["camera"]}
    with pytest.raises(UserError, match=r"graph\.yaml: nothing is left to run: camera: .* has no images"):
        load(write(tmp_path, {"nodes": nodes}), tmp_path)


def test_absent_data_of_a_node_that_is_not_optional_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, changed(lambda d: d["nodes"]["camera"].pop("optional")))
    with pytest.raises(UserError, match=r"graph\.yaml: nodes\.camera: .* has no images"):
        load(path, tmp_path)


def test_without_check_nodes_no_file_is_looked_at(tmp_path: Path) -> None:
    graph = load(write(tmp_path, BASE), tmp_path / "absent", check_nodes=False)
    assert len(graph.nodes) == 6


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (10, ExpectedRate(hz=10.0)),
        ({"hz": 5}, ExpectedRate(hz=5.0)),
        ({"hz": 5.5, "tolerance": 0.2}, ExpectedRate(hz=5.5, tolerance=0.2)),
        (None, None),
    ],
)
def test_an_expected_rate_is_a_number_or_one_with_its_tolerance(
    tmp_path: Path, recording: Path, written: Any, expected: ExpectedRate | None
) -> None:
    document = changed(lambda d: d["nodes"]["projection"].update(expect_hz=written))
    assert load(write(tmp_path, document), recording).nodes["projection"].expected_rate == expected


# Overrides


def test_overrides_reach_every_level(tmp_path: Path, recording: Path) -> None:
    overrides = [
        "policy=all",
        "nodes.segmentation.params.knn=0",
        "nodes.segmentation.params.weights.car=1e-1",
        "nodes.projection.inputs.scan.queue=7",
        "nodes.projection.params.fov_deg=[10, -30]",
        "nodes.fusion.publish.wait_for=1",
        "nodes.fusion.sync.per_input.image.offset_ms=5",
        "nodes.sink.params.out=${out}/a=b",
    ]
    graph = load(write(tmp_path, BASE), recording, overrides=overrides)
    assert graph.nodes["segmentation"].params == {"knn": 0, "weights": {"car": 0.1}, "precise": True}
    assert graph.edges[0] == Edge(source="lidar", target="projection", input="scan", policy="all", queue=7)
    assert graph.nodes["projection"].params["fov_deg"] == (10.0, -30.0)
    assert graph.nodes["fusion"].publish is not None
    assert graph.nodes["fusion"].publish.wait_for == 1
    assert graph.nodes["fusion"].sync["image"].offset_ns == 5_000_000
    assert graph.nodes["sink"].params["out"] == "/run/out/a=b"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "nodes.segmentation.params.kn=0",
            "nodes.segmentation.params.kn (--set): {N}:Segmentation has no such parameter",
        ),
        ("nodes.segmentation.params.kn=0", "; did you mean knn?"),
        ("nodes.segmentatio.params.knn=0", "no node 'segmentatio' in the graph; did you mean segmentation?"),
        ("nodes.segmentatio=0", "no node 'segmentatio' in the graph; did you mean segmentation?"),
        ("polcy=all", "polcy (--set): unknown key; did you mean policy?"),
        ("nodes.fusion.publsh.queue=3", "nodes.fusion.publsh (--set): unknown key; did you mean publish?"),
        ("nodes.fusion.type.x=3", "nodes.fusion.type is text, not a mapping"),
        ("nodes.projection.params.height=tall", "params.height (--set): expected a whole number, got 'tall'"),
        ("nodes.projection.params.height", "expected PATH=VALUE, such as nodes.segmentation.params.knn=0"),
        ("=3", "expected PATH=VALUE"),
        ("nodes..x=3", "expected PATH=VALUE"),
        ("name=[1", "--set name=[1: line 1: "),
        ("nodes.sink.bind=tcp://127.0.0.1:1", "nodes.sink.bind (--set): "),
        ("nodes.projection.publish.queue=3", "nodes.projection.publish (--set): 'bind' is missing"),
    ],
)
def test_wrong_overrides(tmp_path: Path, recording: Path, override: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load(write(tmp_path, BASE), recording, overrides=[override])
    assert message.replace("{N}", NODES) in str(error.value)
    assert "\n" not in str(error.value)


# What is said of a wrong file


def node(name: str, **keys: Any) -> Change:
    return lambda document: document["nodes"][name].update(keys)


def add(name: str, **keys: Any) -> Change:
    return lambda document: document["nodes"].update({name: keys})


def circle(document: dict[str, Any]) -> None:
    for name, source in {"a": "c", "b": "a", "c": "b"}.items():
        document["nodes"][name] = {"type": f"{NODES}:Filter", "inputs": {"scan": source}}


def same_bind(document: dict[str, Any]) -> None:
    document["nodes"]["lidar"]["bind"] = "tcp://127.0.0.1:5001"
    document["nodes"]["camera"]["bind"] = "tcp://localhost:5001"


def neighbours_over_tcp(document: dict[str, Any]) -> None:
    for entry in document["nodes"].values():
        entry["placement"] = "thread"
    document["nodes"]["lidar"]["transport"] = "tcp"


WRONG: list[tuple[Change, str]] = [
    # keys and values
    (lambda d: d.update(nods={}), "nods: unknown key; did you mean nodes?"),
    (lambda d: d.update(policy="lattest"), "policy: 'lattest' is not a choice; did you mean latest?"),
    (lambda d: d.update(name=3), "name: expected text or null, got 3"),
    (lambda d: d.pop("nodes"), "nodes: the graph has no nodes; expected a mapping"),
    (lambda d: d.update(nodes={}), "nodes: the graph has no nodes; expected a mapping"),
    (lambda d: d.update(nodes=["lidar"]), "nodes: the graph has no nodes; expected a mapping"),
    (lambda d: d["nodes"].update(lidar=None), "nodes.lidar: expected a mapping, got null"),
    (add("front-left", type=f"{NODES}:Lidar"), "nodes.front-left: a node's name is a letter, then letters, digits"),
    (node("lidar", optionel=True), "nodes.lidar.optionel: unknown key; did you mean optional?"),
    (node("lidar", optional="yes"), "nodes.lidar.optional: expected bool, got 'yes'"),
    (lambda d: d["nodes"]["lidar"].pop("type"), "nodes.lidar: 'type' is missing"),
    (node("lidar", placement="proces"), "nodes.lidar.placement: 'proces' is not a choice; did you mean process?"),
    (node("lidar", transport="inproc"), "nodes.lidar.transport: 'inproc' is not a choice"),
    (node("lidar", hang_timeout_s=-1), "nodes.lidar.hang_timeout_s: expected a number > 0.0, got -1"),
    (node("lidar", hang_timeout_s=float("inf")), "nodes.lidar.hang_timeout_s: expected a number <= 100000.0, got inf"),
    (node("lidar", hang_timeout_s=float("nan")), "nodes.lidar.hang_timeout_s: expected a number > 0.0, got nan"),
    (node("lidar", restart={"limit": -1}), "nodes.lidar.restart.limit: expected a whole number >= 0, got -1"),
    (node("lidar", restart={"max": 1}), "nodes.lidar.restart.max: unknown key; known: backoff_s, limit, window_s"),
    (node("lidar", expect_hz=0), "nodes.lidar.expect_hz: expected a number > 0.0, got 0"),
    (node("lidar", expect_hz="fast"), "nodes.lidar.expect_hz: expected a number or a mapping or null, got 'fast'"),
    (node("lidar", expect_hz={"hz": 5, "tolerance": 1}), "nodes.lidar.expect_hz.tolerance: expected a number < 1.0"),
    (node("lidar", deadline_ms=0), "nodes.lidar.deadline_ms: expected a number > 0.0, got 0"),
    (node("fusion", sync={"tolerance_ms": -5}), "nodes.fusion.sync.tolerance_ms: expected a number >= 0.0, got -5"),
    (node("fusion", sync={"timeout_ms": "1 s"}), "nodes.fusion.sync.timeout_ms: expected a number or null, got '1 s'"),
    (node("fusion", publish={"queue": 8}), "nodes.fusion.publish: 'bind' is missing"),
    (node("sink", inputs={"frame": 3}), "nodes.sink.inputs.frame: expected text or a mapping, got 3"),
    (
        node("sink", inputs={"frame": {"from": "fusion", "queue": 0}}),
        "inputs.frame.queue: expected a whole number >= 1",
    ),
    (node("sink", inputs={"frame": {"form": "fusion"}}), "inputs.frame.form: unknown key; did you mean from?"),
    # types and parameters
    (node("lidar", type="lidar_sorce"), "nodes.lidar.type: no node type 'lidar_sorce'"),
    (node("lidar", type=f"{NODES}:Lydar"), f"nodes.lidar.type: {NODES} has no class 'Lydar'; did you mean Lidar?"),
    (node("lidar", type="no.such:Node"), "nodes.lidar.type: no.such cannot be imported: ModuleNotFoundError"),
    (node("lidar", type=":"), "nodes.lidar.type: ':' is not package.module:Class"),
    (node("lidar", type=f"{NODES}:Literal"), "nodes.lidar.type"),
    (node("lidar", type=f"{NODES}:NotANode"), "is not a node: it has neither process() nor messages()"),
    (node("lidar", type=f"{NODES}:Untyped"), "process: parameter 'scan' has no message type"),
    (
        node("lidar", type=f"{NODES}:TakesAPath"),
        "its parameter 'path' is annotated <class 'pathlib.Path'>; a",
    ),
    (node("lidar", params={}), f"nodes.lidar.params: 'path' is missing: {NODES}:Lidar needs it"),
    (node("lidar", params={"path": 3}), "nodes.lidar.params.path: expected text, got 3"),
    (node("lidar", params={"path": "${dta}"}), "nodes.lidar.params.path: no variable ${dta}; did you mean ${data}?"),
    (node("camera", params={"path": "x", "camera": "lft"}), "params.camera: 'lft' is not a choice; did you mean left?"),
    (
        node("projection", params={"heigth": 3}),
        "projection.params.heigth: {N}:Projection has no such parameter; did you",
    ),
    (node("projection", params={"height": 64.5}), "nodes.projection.params.height: expected a whole number, got 64.5"),
    (node("projection", params={"height": True}), "nodes.projection.params.height: expected a whole number, got True"),
    (
        node("projection", params={"fov_deg": [1, "a"]}),
        "nodes.projection.params.fov_deg[1]: expected a number, got 'a'",
    ),
    (
        node("segmentation", params={"weights": {"car": "x"}}),
        "segmentation.params.weights.car: expected a number, got 'x'",
    ),
    (node("fusion", params={"x": 1}), "nodes.fusion.params.x: {N}:Fusion has no such parameter"),
    (node("lidar", params={"path": "/no/such"}), "nodes.lidar: /no/such: no such folder"),
    # edges
    (
        node("segmentation", inputs={"range_image": "lidar"}),
        "edge lidar -> segmentation.range_image: carries LidarScan, needs RangeImage; projection gives that",
    ),
    (node("segmentation", inputs={}), "nodes.segmentation.inputs: 'range_image' (RangeImage) is not connected"),
    (
        node("projection", inputs={"scan": "lidr"}),
        "projection.inputs.scan: no node 'lidr' in the graph; did you mean lidar?",
    ),
    (node("projection", inputs={"scan": "sink"}), "nodes.projection.inputs.scan: 'sink' is a sink"),
    (
        node("projection", inputs={"scan": "lidar", "scam": "lidar"}),
        "inputs.scam: {N}:Projection has no such input; did you",
    ),
    (node("lidar", inputs={"scan": "camera"}), "nodes.lidar.inputs: {N}:Lidar is a source and takes no inputs"),
    (circle, "nodes: the edges run in a circle: a -> b -> c -> a"),
    (add("a", type=f"{NODES}:Filter", inputs={"scan": "a"}), "nodes: the edges run in a circle: a -> a"),
    # keys that a node of this kind cannot have
    (node("projection", deadline_ms=50), "nodes.projection.deadline_ms: a deadline is set by a source"),
    (node("sink", publish={"bind": "tcp://127.0.0.1:5000"}), "nodes.sink.publish: {N}:Sink is a sink"),
    (node("sink", bind="tcp://127.0.0.1:5000"), "nodes.sink.bind: {N}:Sink is a sink"),
    (node("sink", expect_hz=10), "nodes.sink.expect_hz: {N}:Sink is a sink"),
    (node("projection", sync={}), "nodes.projection.sync: {N}:Projection does not have several inputs"),
    (
        node("fusion", sync={"per_input": {"imge": {}}}),
        "sync.per_input.imge: {N}:Fusion has no such input; did you mean image?",
    ),
    (node("fusion", sync={"per_input": {"scan": {}}}), "nodes.fusion.sync.per_input.scan: is the primary input"),
    # endpoints
    (
        node("lidar", bind="inproc://x"),
        "nodes.lidar.bind: 'inproc://x' is not an endpoint; write ipc://PATH or tcp://HOST:PORT",
    ),
    (node("lidar", bind="tcp://127.0.0.1"), "nodes.lidar.bind: 'tcp://127.0.0.1' is not an endpoint"),
    (node("lidar", bind="tcp://127.0.0.1:70000"), "nodes.lidar.bind: 'tcp://127.0.0.1:70000' is not an endpoint"),
    (
        node("lidar", bind=f"ipc:///{'d' * 107}"),
        "nodes.lidar.bind: the path of an ipc socket has at most 107 bytes, this has 108",
    ),
    (node("lidar", bind="ipc://"), "nodes.lidar.bind: ipc:// needs the path"),
    (same_bind, "nodes.camera.bind: tcp://localhost:5001 is already bound by nodes.lidar.bind"),
    (node("lidar", bind="ipc:///run/out/fused.sock"), "fused.sock is already bound by nodes.lidar.bind"),
    (
        node("lidar", transport="ipc", bind="tcp://127.0.0.1:5000"),
        "nodes.lidar.transport: is ipc, but bind is tcp://127",
    ),
    (node("lidar", bind="tcp://*:5000", curve=False), "nodes.lidar.curve: other machines can reach tcp://*:5000"),
    (node("lidar", curve=True), "nodes.lidar.curve: encryption is for tcp"),
    (node("lidar", curve=True, bind="ipc:///tmp/x"), "nodes.lidar.curve: encryption is for tcp"),
    (neighbours_over_tcp, "nodes.lidar.transport: has no effect: projection"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_one_mistake_is_one_line_with_file_and_place(
    tmp_path: Path, recording: Path, change: Change, message: str
) -> None:
    path = write(tmp_path, changed(change))
    with pytest.raises(UserError) as error:
        load(path, recording)
    text = str(error.value)
    assert message.replace("{N}", NODES) in text
    assert text.startswith(f"{path}: ")
    assert all(line.startswith(f"{path}: ") for line in text.split("\n"))


# A circle leaves nothing else wrong; an unknown type leaves the others to be checked: neither may cascade.
ALONE = [
    entry
    for entry in WRONG
    if entry[1].startswith(("nodes.lidar.type", "edge", "nodes: the edges", "nodes.lidar.curve"))
]


@pytest.mark.parametrize(("change", "message"), ALONE, ids=[message for _, message in ALONE])
def test_one_mistake_brings_no_others(tmp_path: Path, recording: Path, change: Change, message: str) -> None:
    with pytest.raises(UserError) as error:
        load(write(tmp_path, changed(change)), recording)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; a graph needs at least 'nodes:'"),
        ("# nothing\n", "is empty"),
        ("- a\n- b\n", "the top level must be a mapping with 'nodes:', this is a list"),
        ("hello", "the top level must be a mapping with 'nodes:', this is text"),
        ("nodes:\n  a: {type: x}\n  b: {type: x}\n  a: {type: y}\n", "line 4: key 'a' comes twice"),
        ("nodes:\n  a: {type: x, type: y}\n", "line 2: key 'type' comes twice"),
        ("name: x\nnodes: [a, b\n", "line 3: expected ',' or ']'"),
        ("nodes:\n\ta: 1\n", "line 2: found character '\\t'"),
        ("nodes: {1: {type: x}}\n", "line 1: a key must be text: quote it"),
        ("nodes: !!python/object:os.system {}\n", "line 1: could not determine a constructor"),
        ("nodes: !!set {a, b}\n", "a set cannot be used here"),
        ("nodes: " + "[" * 3000, "is nested too deeply"),
        ("nodes: " + "[" * 50 + "]" * 50, "is nested more than 40 levels deep"),
        ("a: &a [*a]\n", "is nested more than 40 levels deep"),
        ("nodes: \x00", "not YAML: "),
    ],
)
def test_what_is_not_a_mapping_of_plain_data(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        load(path, None)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml: no such file$"):
        load(tmp_path / "absent.yaml", None)
    write(tmp_path, BASE)
    with pytest.raises(UserError, match=r"graf\.yaml: no such file; did you mean graph\.yaml\?"):
        load(tmp_path / "graf.yaml", None)
    with pytest.raises(UserError, match="cannot be read: is a directory"):
        load(tmp_path, None)
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(UserError, match=r"binary\.yaml: byte 6 is not UTF-8 text"):
        load(tmp_path / "binary.yaml", None)


def test_a_missing_variable_names_its_option(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(write(tmp_path, BASE), None)
    path = tmp_path / "graph.yaml"
    assert str(error.value).split("\n") == [
        f"{path}: nodes.lidar.params.path: uses ${{data}}: give --data PATH",
        f"{path}: nodes.camera.params.path: uses ${{data}}: give --data PATH",
    ]


def test_several_mistakes_are_listed_up_to_five(tmp_path: Path, recording: Path) -> None:
    def three(document: dict[str, Any]) -> None:
        document["nodes"]["lidar"]["optionel"] = True
        document["nodes"]["camera"]["type"] = "nothing_like_it"
        document["nodes"]["projection"]["params"]["heigth"] = 64

    def seven(document: dict[str, Any]) -> None:
        document["nodes"]["lidar"].update({f"key{i}": i for i in range(7)})

    path = write(tmp_path, changed(three))
    with pytest.raises(UserError) as error:
        load(path, recording)
    places = [line.split(": ")[1] for line in str(error.value).split("\n")]
    assert places == ["nodes.lidar.optionel", "nodes.camera.type", "nodes.projection.params.heigth"]
    with pytest.raises(UserError) as error:
        load(write(tmp_path, changed(seven)), recording)
    lines = str(error.value).split("\n")
    assert len(lines) == 6
    assert lines[5] == f"{path}: and 2 more"


# Groups and the drawing


@pytest.mark.parametrize(
    ("threads", "groups"),
    [
        ([], ["lidar", "camera", "projection", "segmentation", "fusion", "sink"]),
        (["projection"], ["lidar", "camera", "projection", "segmentation", "fusion", "sink"]),
        (["projection", "segmentation"], ["lidar", "camera", "projection segmentation", "fusion", "sink"]),
        (["projection", "sink", "camera"], ["lidar", "camera", "projection", "segmentation", "fusion", "sink"]),
        (["lidar", "projection", "fusion", "sink"], ["lidar projection fusion sink", "camera", "segmentation"]),
    ],
)
def test_thread_neighbours_share_a_process(
    tmp_path: Path, recording: Path, threads: list[str], groups: list[str]
) -> None:
    document = changed(lambda d: [d["nodes"][name].update(placement="thread") for name in threads])
    graph = load(write(tmp_path, document), recording)
    assert [" ".join(group) for group in process_groups(graph)] == groups


def test_mermaid_shows_types_policies_groups_and_what_is_left_out(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for name in ("projection", "segmentation"):
            document["nodes"][name]["placement"] = "thread"

    lines = mermaid(load(write(tmp_path, changed(change)), tmp_path)).splitlines()
    assert lines[0] == "flowchart LR"
    text = [line.strip() for line in lines]
    assert 'n_lidar("lidar<br/>Lidar")' in text
    assert 'n_sink[/"sink<br/>Sink"/]' in text
    assert 'n_projection -->|"RangeImage<br/>latest, queue 1"| n_segmentation' in text
    assert 'n_fusion -.->|"FusedFrame<br/>latest"| p_fusion(["ipc:///run/out/fused.sock"])' in text
    assert f'n_camera["camera<br/>left out: {tmp_path} has no images"]:::left_out' in text
    start, end = text.index('subgraph process_1 ["one process"]'), text.index("end")
    assert text[start + 1 : end] == [
        'n_projection["projection<br/>Projection"]',
        'n_segmentation["segmentation<br/>Segmentation"]',
    ]


# Anything at all


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["lidar", "camera", "fusion", "sink", f"{NODES}:Filter", "${data}", "${x}", "tcp://*:1", "a.b:c"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.sampled_from(["from", "policy", "queue", "scan", "x"]), st.sampled_from(["lidar", "all", 1, None])
    ),
)


def outcome(path: Path, data: Path) -> Graph | str:
    """The graph, or what the user is told; any other exception goes through."""
    try:
        return load(path, data)
    except UserError as error:
        return str(error)


def paths_of(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = (
        [found for key, item in value.items() for found in paths_of(item, (*path, key))]
        if isinstance(value, dict)
        else []
    )
    return [path, *inner] if path else inner


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file_gives_a_graph_or_a_user_error(tmp_path: Path, recording: Path, data: st.DataObject) -> None:
    document = changed()
    for _ in range(data.draw(st.integers(1, 3))):
        places = paths_of(document)
        if not places:
            break
        *parents, key = data.draw(st.sampled_from(places))
        at = document
        for parent in parents:
            at = at[parent]
        match data.draw(st.sampled_from(["drop", "replace", "rename", "add"])):
            case "drop":
                del at[key]
            case "replace":
                at[key] = data.draw(VALUES)
            case "rename":
                at[key + data.draw(st.sampled_from(["x", "", ".", " "]))] = at.pop(key)
            case "add":
                at[data.draw(st.text(max_size=5))] = data.draw(VALUES)
    result = outcome(write(tmp_path, document), recording)
    if isinstance(result, Graph):
        assert set(result.nodes) <= set(document["nodes"])
        assert mermaid(result).startswith("flowchart LR\n")
    else:
        assert all("graph.yaml: " in line for line in result.split("\n"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_text_gives_a_graph_or_a_user_error(tmp_path: Path, recording: Path, data: st.DataObject) -> None:
    text = yaml.safe_dump(BASE, sort_keys=False)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    piece = data.draw(
        st.one_of(st.text(max_size=8), st.sampled_from(["- ", ": ", "*a", "&a ", "!!int ", "<<: ", "{", "["]))
    )
    path = tmp_path / "graph.yaml"
    path.write_text(text[:start] + piece + text[end:], encoding="utf-8", errors="surrogatepass")
    result = outcome(path, recording)
    assert isinstance(result, Graph) or all("graph.yaml: " in line for line in result.split("\n"))
