"""Graph to graph: more sensors, longer recordings; and what a graph's sensors have in common."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import UserError
from pipeline.graph import Graph
from pipeline.messages import LidarScan
from pipeline.node import load_node_class
from profiling.capacity.looped import played_once
from profiling.capacity.sensors import Recording, fused_nodes, looped, read_recording, side_by_side
from tests.support.runs import lidar_graph, load, node, remove, short_folder


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def graph(out: Path, **changes: dict[str, Any]) -> Graph:
    out.mkdir(exist_ok=True)
    return load(lidar_graph(out, **changes), out, policy="latest")


def test_copies_share_nothing(out: Path) -> None:
    single = [graph(out / str(k)) for k in range(3)]
    both = side_by_side(single)
    assert len(both.nodes) == 3 * len(single[0].nodes)
    assert len(both.edges) == 3 * len(single[0].edges)
    for name, spec in both.nodes.items():
        assert spec.name == name
    for edge in both.edges:
        assert edge.source.rpartition("_")[2] == edge.target.rpartition("_")[2]
    files = [spec.params["out"] for name, spec in both.nodes.items() if name.startswith("lines")]
    assert len(set(files)) == 3
    assert fused_nodes(both) == ["fuse_1", "fuse_2", "fuse_3"]


def test_one_sensor_is_the_graph_itself(out: Path) -> None:
    only = graph(out)
    assert side_by_side([only]) is only


def test_copies_that_listen_at_the_same_place_are_one_line(out: Path) -> None:
    publish = {"publish": {"bind": "tcp://127.0.0.1:43777"}}
    with pytest.raises(UserError, match=r"fuse_1 and fuse_2 both listen at tcp://127\.0\.0\.1:43777"):
        side_by_side([graph(out / str(k), fuse=dict(publish)) for k in range(2)])


def test_a_recording_has_its_frames_rate_and_period(out: Path) -> None:
    found = read_recording(graph(out, scans={"params": {"count": 30, "rate_hz": 20}}))
    assert found == Recording(30, pytest.approx(20.0), 1_500_000_000)


def test_sources_of_different_rates_are_one_line(out: Path) -> None:
    document = lidar_graph(out, fuse={"inputs": {"scan": "scans", "semantics": "label", "image": "camera"}})
    document["nodes"]["camera"] = node("Frames", rate_hz=30.0)
    with pytest.raises(UserError, match="sources of different rates, camera at 30 and scans at 100 frames/s"):
        read_recording(load(document, out, policy="latest"))


def test_a_single_frame_has_no_rate(out: Path) -> None:
    with pytest.raises(UserError, match="node scans: 1 frames have no rate"):
        read_recording(graph(out, scans={"params": {"count": 1}}))


def test_without_a_fused_output_there_is_nothing_to_bound(out: Path) -> None:
    document = {"nodes": {"scans": node("Scans"), "label": node("Label", {"scan": "scans"})}}
    with pytest.raises(UserError, match="no node emits fused frames"):
        fused_nodes(load(document, out, policy="latest"))


def test_a_looped_recording_goes_on_in_step(out: Path) -> None:
    """Scans and images of one time keep being of one time, and every stamp is one interval after the last."""
    document = lidar_graph(out, fuse={"inputs": {"scan": "scans", "semantics": "label", "image": "camera"}})
    document["nodes"]["camera"] = node("Frames", offset_ms=2)
    whole = load(document, out, policy="latest")
    recording = read_recording(whole)
    longer = looped(whole, recording, 50)
    stamps = {}
    for name in ("scans", "camera"):
        spec = longer.nodes[name]
        messages = list(load_node_class(spec.type)(**spec.params).messages())
        stamps[name] = [message.header.stamp_ns for message in messages]
        assert len(stamps[name]) == 60
    assert {b - a for a, b in zip(stamps["scans"], stamps["camera"], strict=True)} == {2_000_000}
    gaps = {b - a for a, b in pairwise(stamps["scans"])}
    assert min(gaps) == 10_000_000
    assert max(gaps) == 12_000_000  # at the seam: the camera's last frame is 2 ms after the last scan


def test_a_recording_that_is_long_enough_is_left_alone(out: Path) -> None:
    whole = graph(out)
    assert looped(whole, read_recording(whole), 20) is whole


def test_each_round_is_opened_and_closed() -> None:
    calls: list[str] = []

    class Source:
        def open(self) -> None:
            calls.append("open")

        def messages(self) -> Iterator[LidarScan]:
            calls.append("messages")
            yield LidarScan(points=np.zeros((1, 4), np.float32))

        def close(self) -> None:
            calls.append("close")

    assert len(list(played_once(Source()))) == 1
    assert calls == ["open", "messages", "close"]
