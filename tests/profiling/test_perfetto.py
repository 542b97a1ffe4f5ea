"""A run's trace as Perfetto's own trace processor reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import UserError
from pipeline.account import Loss
from pipeline.trace import NodeTrace, read_trace
from profiling import perfetto
from profiling.pipeline.decompose import Ways
from tests.support.runs import lidar_graph, remove, run, short_folder
from tests.support.trace_processor import TraceProcessor

SLICES = """
    select slice.id, slice.name, slice.ts, slice.dur, track.name as track, process.name as process
    from slice join process_track track on slice.track_id = track.id join process using (upid)
"""


@pytest.fixture(scope="module")
def traces() -> Iterator[dict[str, NodeTrace]]:
    out = short_folder()
    (out / "trace").mkdir()
    assert run(lidar_graph(out, label={"params": {"delay_ms": 3}}), out, trace=out / "trace").exit_code == 0
    yield read_trace(out / "trace")
    remove(out)


@pytest.fixture(scope="module")
def processor(traces: dict[str, NodeTrace], tmp_path_factory: pytest.TempPathFactory) -> TraceProcessor:
    path = tmp_path_factory.mktemp("perfetto") / "run.pftrace"
    lost = traces["scans"].calls[4]
    loss = Loss("scans -> label.scan", 4, "000004", "overflow", at_ns=lost.finished_ns + 1)
    perfetto.write(path, traces, [loss])
    return TraceProcessor(path.read_bytes())


def test_the_trace_processor_has_nothing_to_complain_about(processor: TraceProcessor) -> None:
    assert processor.query("select name, value from stats where value > 0 and severity = 'error'") == []


def test_every_call_is_a_slice_in_its_process_at_its_time(
    processor: TraceProcessor, traces: dict[str, NodeTrace]
) -> None:
    slices = {(row["process"], row["name"], row["ts"], row["dur"]) for row in processor.query(SLICES)}
    for node, trace in traces.items():
        for call in trace.calls:
            assert (node, f"{node} {call.name}", call.started_ns, call.finished_ns - call.started_ns) in slices


def test_slices_of_a_track_follow_each_other(processor: TraceProcessor) -> None:
    """One that overlapped another would have been cut, or put into it."""
    assert processor.query("select count(*) as nested from slice where depth > 0") == [{"nested": 0}]
    assert processor.query("select count(*) as unfinished from slice where dur < 0") == [{"unfinished": 0}]


def test_one_frames_spans_connect_across_processes(processor: TraceProcessor, traces: dict[str, NodeTrace]) -> None:
    """From the fused frame's slice, flows lead back to the source, through every process on its way."""
    rows = {row["id"]: row for row in processor.query(SLICES)}
    into: dict[int, list[int]] = {}
    for flow in processor.query("select slice_out, slice_in from flow"):
        into.setdefault(flow["slice_in"], []).append(flow["slice_out"])
    (frame,) = (frame for frame in Ways(traces).frames("fuse") if frame.seq == 11)
    reached, todo = set(), [next(row["id"] for row in rows.values() if row["name"] == "fuse 000011")]
    while todo:
        reached.add(todo[-1])
        todo += [before for before in into.get(todo.pop(), []) if before not in reached]
    seen = {(row["process"], row["name"]) for row in map(rows.__getitem__, reached)}
    assert {("scans", "scans 000011"), ("label", "label 000011"), ("fuse", "fuse 000011")} <= seen
    assert {name for process, name in seen if process == "fuse"} == {"outbox", "transport", "wait", "fuse 000011"}
    assert not {name for _, name in seen if name.endswith(("000010", "000012"))}
    assert max(rows[i]["ts"] + rows[i]["dur"] for i in reached) == frame.finished_ns


def test_queues_are_counted_and_drops_marked(processor: TraceProcessor) -> None:
    counters = processor.query(
        "select track.name, min(value) as low, max(value) as high from counter join counter_track track"
        " on counter.track_id = track.id group by 1"
    )
    edges = ("scans -> label.scan", "scans -> fuse.scan", "label -> fuse.semantics", "fuse -> lines.fused")
    assert {row["name"] for row in counters} == {f"{edge} on the way" for edge in edges}
    assert all(row["low"] == 0 and row["high"] >= 1 for row in counters)
    (drop,) = processor.query("select name from slice where name glob 'dropped*'")
    assert drop["name"] == "dropped 000004: overflow on scans -> label.scan"


def test_a_path_that_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--trace .*: cannot be written"):
        perfetto.require_writable(tmp_path / "missing" / "run.pftrace")
    perfetto.require_writable(tmp_path / "run.pftrace")
    assert list(tmp_path.iterdir()) == []
