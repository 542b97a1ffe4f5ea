"""What a latency is made of: stages that follow each other without a gap and agree with the nodes' own clocks."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.messages import Header, Hop
from pipeline.stages import COMPUTE, DUE, STAGES, stages, stages_of
from pipeline.trace import NodeTrace, read_trace
from tests.support.clocked_nodes import noted
from tests.support.runs import lidar_graph, remove, run, short_folder

CLOCKED = "tests.support.clocked_nodes"
TOLERANCE_NS = 200_000


@pytest.fixture
def out() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def hops_of(traces: dict[str, NodeTrace], node: str, source: str, seq: int) -> list[Hop]:
    """The way back along the completing inputs, put together from the files of all nodes."""
    call = next(c for c in traces[node].calls if (c.source, c.seq) == (source, seq))
    if not call.completed_by:
        return [Hop(node, call.due_ns, call.due_ns, call.due_ns, call.started_ns, call.finished_ns)]
    last = next(taken for taken in call.inputs if taken.input == call.completed_by)
    own = Hop(node, last.published_ns, last.sent_ns, last.received_ns, call.started_ns, call.finished_ns)
    return [*hops_of(traces, last.publisher, last.source, last.seq), own]


@pytest.mark.parametrize("rate", [None, 2.0])
@pytest.mark.parametrize("placement", ["process", "thread"])
def test_every_fused_frames_stages_add_up_to_its_latency(out: Path, rate: float | None, placement: str) -> None:
    times = {"label": out / "label.txt", "fuse": out / "fuse.txt"}
    document = lidar_graph(
        out,
        scans={"placement": placement, "params": {"count": 30, "rate_hz": 25, "points": 20_000}},
        label={"placement": placement, "type": f"{CLOCKED}:ClockedLabel"},
        fuse={"placement": placement, "type": f"{CLOCKED}:ClockedFuse"},
    )
    document["nodes"]["label"]["params"] = {"times": str(times["label"]), "delay_ms": 5}
    document["nodes"]["fuse"]["params"] = {"times": str(times["fuse"])}
    (out / "trace").mkdir()
    report = run(document, out, rate=rate, trace=out / "trace")
    assert report.exit_code == 0

    traces = read_trace(out / "trace")
    label, fuse = noted(times["label"]), noted(times["fuse"])
    calls = {call.seq: call for call in traces["fuse"].calls}
    assert calls.keys() == fuse.keys()
    labelled = 0
    for seq, call in calls.items():
        hops = hops_of(traces, "fuse", "scans", seq)
        found = stages_of(call.due_ns, hops)
        latency_ns = call.finished_ns - call.due_ns
        assert abs(sum(stage.duration_ns for stage in found) - latency_ns) < TOLERANCE_NS
        assert all(stage.duration_ns >= 0 for stage in found)
        assert all(before.end_ns == after.begin_ns for before, after in pairwise(found))
        compute = {stage.node: stage for stage in found if stage.kind == COMPUTE}
        assert compute["fuse"].begin_ns <= fuse[seq][0] <= fuse[seq][1] <= compute["fuse"].end_ns
        if "label" in compute:
            assert compute["label"].begin_ns <= label[seq][0] <= label[seq][1] <= compute["label"].end_ns
            labelled += 1
    assert len(calls) == 30 or rate is not None
    assert labelled


def test_a_run_without_a_trace_writes_none(out: Path) -> None:
    assert run(lidar_graph(out), out).exit_code == 0
    assert not list(out.rglob("*.jsonl"))


def test_a_scan_that_waited_for_another_sensor_says_so() -> None:
    """The camera frame that completed the set was due 30 ns after the scan."""
    hops = (Hop("camera", 130, 130, 130, 131, 131), Hop("fusion", 133, 134, 136, 140, 150))
    found = stages(Header(source="lidar", due_ns=100, hops=hops))
    assert [(stage.node, stage.kind, stage.duration_ns) for stage in found] == [
        ("camera", DUE, 30),
        ("camera", "late", 1),
        ("camera", "compute", 0),
        ("camera", "encode", 2),
        ("fusion", "outbox", 1),
        ("fusion", "transport", 2),
        ("fusion", "wait", 4),
        ("fusion", "compute", 10),
    ]
    assert {stage.kind for stage in found} <= set(STAGES)
    assert stages(Header(due_ns=1)) == []
