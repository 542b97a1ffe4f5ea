"""A profiled pipeline: figures of real runs, what is said of them, and a slower node that is found by name."""

from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from errors import UserError
from pipeline.live.observer import Observer
from pipeline.messages import Hop
from pipeline.stages import stages_of
from pipeline.trace import Call, NodeTrace, Opening, Taken
from profiling.against import compare
from profiling.pipeline import limits, pictures, startup
from profiling.pipeline.decompose import Frame, Ways
from profiling.pipeline.figures import NodeFigures, RunFigures, figures, series
from profiling.pipeline.run import Observed, fused_node, observe
from profiling.result import Profile
from tests.support.runs import lidar_graph, load, node

CLOCKED = "tests.support.clocked_nodes"


def observed(*, rate: float | None = None, burn_ms: float = 4.0) -> Observed:
    def graph(out: Path) -> object:
        document = lidar_graph(out, scans={"params": {"count": 40, "rate_hz": 100}})
        document["nodes"]["label"]["type"] = f"{CLOCKED}:ClockedLabel"
        document["nodes"]["label"]["params"] = {"times": str(out / "times"), "burn_ms": burn_ms}
        return load(document, out, policy="all" if rate is None else "latest")

    return observe(graph, lambda _: nullcontext(Observer()), rate=rate, frames=None)


@pytest.fixture(scope="module")
def seen() -> Observed:
    return observed()


def run_figures(**changes: object) -> RunFigures:
    """Three nodes in three processes, 10 frames/s: work takes 90 ms, and 60 ms of a core; write 40 and 20."""
    values = {
        "fused": "work", "frames": [], "nodes": {}, "paths_ms": {}, "rate_hz": 10.0, "input_hz": None,
        "busy_ms_per_frame": {"read": 5.0, "work": 95.0, "write": 40.0},
        "cpu_ms_per_frame": {"read": 5.0, "work": 60.0, "write": 20.0},
        "cpu": {}, "memory_mb": {}, "processes": {n: [n] for n in ("read", "work", "write")}, "dropped": {},
        "others_cores": 0.0,
    }  # fmt: skip
    return RunFigures(**(values | changes))


def test_a_run_is_taken_apart(seen: Observed) -> None:
    found = figures(seen, fused_node(seen.graph), paced=False)
    assert found.fused == "fuse"
    assert len(found.frames) == 35  # 40 less the warm-up
    assert min(found.nodes["label"].compute_ms) >= 4
    assert set(found.paths_ms) == {"scans → fuse", "scans → label → fuse"}
    assert found.busy_ms_per_frame["label"] >= 4
    for frame in found.frames:
        assert sum(stage.duration_ns for stage in frame.stages) == frame.latency_ns
        assert 0 <= frame.runtime_ns < frame.latency_ns


def test_the_stages_of_the_start_add_up(seen: Observed) -> None:
    found = startup.stages_ms(seen.traces, seen.begin_ns, "fuse")
    first_ns = seen.traces["fuse"].calls[0].finished_ns
    assert sum(found.values()) == pytest.approx((first_ns - seen.begin_ns) / 1e6)
    assert all(ms >= 0 for ms in found.values())


def test_pictures_are_drawn(seen: Observed, tmp_path: Path) -> None:
    found = figures(seen, "fuse", paced=False)
    paths = pictures.save(tmp_path, found, seen.traces)
    assert {path.name for path in paths} == {"latency.png", "waterfall.png", "distribution.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_a_slower_node_is_called_a_regression_by_name() -> None:
    """10 % more for one node of two, its samples spread as real ones are; nothing else changes."""

    def profile(factor: float) -> Profile:
        runs = []
        for run in range(5):
            wobble = [1 + 0.01 * ((7 * k + 3 * run) % 5 - 2) for k in range(40)]
            nodes = {
                "label": NodeFigures([0.2] * 40, [0.5 * w for w in wobble], [4 * factor * w for w in wobble]),
                "fuse": NodeFigures([0.2] * 40, [0.5 * w for w in wobble], [2 * w for w in wobble]),
            }
            runs.append(run_figures(fused="fuse", nodes=nodes, processes={}, frames=[frame(seq) for seq in range(40)]))
        return Profile(
            kind="pipeline", command=[], started_utc="", machine={}, versions={}, configuration={}, series=series(runs)
        )

    before = profile(1.0)
    assert [found.name for found in compare(before, profile(1.1), Path("before")).regressions] == ["label.compute"]
    assert compare(before, profile(1.0), Path("before")).regressions == []


def frame(seq: int) -> Frame:
    hops = (Hop("scans", 0, 0, 0, 0, 0), Hop("fuse", 1, 2, 3, 4, 5_000_000))
    return Frame("scans", seq, "", 0, 5_000_000, stages_of(0, hops))


def test_the_busiest_node_limits_and_the_next_limit_is_computed() -> None:
    text = limits.in_words(run_figures(), cores=2)
    assert "work limits the rate: it is busy 95% of the time, 95.0 ms a frame" in text
    assert "If work took no time, the next limit would be write: 25.0 frames/s" in text


def test_a_full_processor_limits_and_the_next_limit_is_computed() -> None:
    """190 ms of two cores a frame: 10.5/s. Without work, 70 ms remain: 28.6/s, more than the 25/s of write."""
    cpu = {"read": 50.0, "work": 120.0, "write": 20.0}
    text = limits.in_words(run_figures(cpu_ms_per_frame=cpu), cores=2)
    assert "The processor limits the rate: 1.9 of 2 cores are in use" in text
    assert "63% to work" in text
    without = limits.limits(run_figures(cpu_ms_per_frame=cpu), 2, without="work")
    assert [(limit.node, round(limit.rate_hz, 1)) for limit in without] == [
        ("write", 25.0),
        (None, 28.6),
        ("read", 200.0),
    ]


def test_a_graph_that_keeps_up_and_one_that_drops() -> None:
    assert "The graph keeps up" in limits.in_words(run_figures(input_hz=10.0), cores=2)
    text = limits.in_words(run_figures(input_hz=20.0, dropped={"read -> work.scan": 12}), cores=2)
    assert "Of an input of 20.0 frames/s the graph makes 10.0 fused frames/s; dropped: 12 of read -> work.scan" in text


def test_other_programs_are_told() -> None:
    assert "Other programs used 1.2 cores" in limits.in_words(run_figures(others_cores=1.2), cores=2)


def test_a_frame_whose_way_is_not_known_is_left_out() -> None:
    """Its publisher was killed before it could write. Another message was published twice: the later call made it."""
    scans = [call(0, 10, ()), call(1, 20, ()), call(1, 40, ())]
    lost = call(9, 90, (taken(9, 85),))
    traces = {"scans": NodeTrace([], scans), "fuse": NodeTrace([], [call(1, 50, (taken(1, 42),)), lost])}
    (found,) = Ways(traces).frames("fuse")
    assert found.seq == 1
    assert found.stages[-1].node == "fuse"
    assert found.stages[0].end_ns == 40


def call(seq: int, at_ns: int, inputs: tuple[Taken, ...]) -> Call:
    return Call(
        source="scans", seq=seq, name="", due_ns=at_ns, inputs=inputs, completed_by="scan" if inputs else "",
        started_ns=at_ns, finished_ns=at_ns, busy_ns=0,
    )  # fmt: skip


def taken(seq: int, at_ns: int) -> Taken:
    times = dict.fromkeys(("published_ns", "sent_ns", "received_ns"), at_ns)
    return Taken(input="scan", publisher="scans", source="scans", seq=seq, **times)


def test_the_output_of_a_graph(tmp_path: Path) -> None:
    """Sinks make nothing; a camera whose frames only a sink takes has less before it than the fused frames."""
    document = lidar_graph(tmp_path)
    document["nodes"]["camera"] = node("Frames")
    document["nodes"]["count"] = node("CountFrames", {"image": "camera"})
    assert fused_node(load(document, tmp_path)) == "fuse"


def test_a_run_that_fails_is_no_profile() -> None:
    def graph(out: Path) -> object:
        return load(lidar_graph(out, label={"params": {"refuse_at": 3}}), out)

    with pytest.raises(UserError, match=r"the run failed: node label: scan 3 is not for me.*run\.py play"):
        observe(graph, lambda _: nullcontext(Observer()), rate=None, frames=None)


def test_a_trace_of_a_killed_process_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    from pipeline.trace import TraceWriter, read_trace

    writer = TraceWriter(str(tmp_path / "label.0.jsonl"))
    writer.write(
        Opening(
            node="label",
            process="label",
            pid=1,
            incarnation=0,
            spawned_ns=1,
            imported_ns=2,
            bound_ns=3,
            opening_ns=4,
            opened_ns=5,
            started_ns=6,
        )
    )
    writer.write(call(0, 10, ()))
    writer.write(call(1, 20, ()))
    writer.close()
    whole = (tmp_path / "label.0.jsonl").read_bytes()
    (tmp_path / "label.0.jsonl").write_bytes(whole[:-5])
    trace = read_trace(tmp_path)["label"]
    assert [found.seq for found in trace.calls] == [0]
    assert msgspec.structs.asdict(trace.openings[0])["opened_ns"] == 5
