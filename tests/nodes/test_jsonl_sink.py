"""One JSON line per frame; whole lines only; the same but for latency from run to run."""

import json

import numpy as np
import pytest

from errors import UserError
from nodes.jsonl_sink import JsonlSink
from pipeline.messages import ActionProposal, FusedFrame, FusedObject, Header, Hop, InputStatus

MS = 1_000_000


def frame(seq=0, due_ns=1000 * MS, offset_ns=0, **fields):
    times_ms = {"lidar": (0, 0, 0, 1, 3), "fusion": (4, 4.5, 5, 6, 10)}
    hops = tuple(
        Hop(node, due_ns, due_ns, due_ns, due_ns + offset_ns + MS, due_ns + offset_ns + 3 * MS)
        if node == "lidar"
        else Hop(node, *(due_ns + offset_ns + round(t * MS) for t in times))
        for node, times in times_ms.items()
    )
    return FusedFrame(
        header=Header(name=f"{seq:06d}", seq=seq, stamp_ns=seq * 100 * MS, due_ns=due_ns, hops=hops),
        points=np.zeros((4, 4), np.float32),
        labels=np.uint8([2, 1, 2, 0]),
        class_names=("unlabelled", "car", "road", "person"),
        **fields,
    )


def write(path, frames):
    sink = JsonlSink(str(path))
    sink.open()
    for f in frames:
        sink.process(f)
    sink.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_frame_reads_back_as_documented(tmp_path):
    full = frame(
        pixels=np.float32([[1, 2], [np.nan, np.nan], [3, 4], [5, 6]]),
        objects=(FusedObject(box=(1, 2, 3, 4), class_name="car", score=0.5, distance_m=12.5, point_count=3),),
        proposals=(ActionProposal(1.5, 4.0, 0.75, False),),
        inputs=(InputStatus("semantics", "ok", 5), InputStatus("image", "timeout")),
    )
    (record,) = write(tmp_path / "made" / "fused.jsonl", [full])
    assert record == {
        "seq": 0,
        "name": "000000",
        "stamp_ns": 0,
        "points": 4,
        "points_in_view": 3,
        "points_per_class": {"unlabelled": 1, "car": 1, "road": 2},
        "inputs": [
            {"topic": "semantics", "reason": "ok", "stamp_ns": 5},
            {"topic": "image", "reason": "timeout", "stamp_ns": None},
        ],
        "objects": [
            {
                "box": [1, 2, 3, 4],
                "class_name": "car",
                "score": 0.5,
                "track_id": None,
                "distance_m": 12.5,
                "extent_min": None,
                "extent_max": None,
                "point_count": 3,
            }
        ],
        "proposals": [{"start_s": 1.5, "end_s": 4.0, "score": 0.75, "final": False}],
        "latency": {
            "total_ms": 10.0,
            "stages": [
                {"node": "lidar", "stage": "late", "ms": 1.0},
                {"node": "lidar", "stage": "compute", "ms": 2.0},
                {"node": "lidar", "stage": "encode", "ms": 1.0},
                {"node": "fusion", "stage": "outbox", "ms": 0.5},
                {"node": "fusion", "stage": "transport", "ms": 0.5},
                {"node": "fusion", "stage": "wait", "ms": 1.0},
                {"node": "fusion", "stage": "compute", "ms": 4.0},
            ],
        },
    }


def test_two_runs_differ_in_latency_only(tmp_path):
    first = write(tmp_path / "a.jsonl", [frame(i) for i in range(5)])
    second = write(tmp_path / "b.jsonl", [frame(i, due_ns=9999 * MS, offset_ns=2 * MS) for i in range(5)])
    assert [r.pop("latency") for r in first] != [r.pop("latency") for r in second]
    assert json.dumps(first) == json.dumps(second)


def test_unknown_latency_is_null(tmp_path):
    bare = FusedFrame(points=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.uint8))
    (record,) = write(tmp_path / "a.jsonl", [bare])
    assert record["latency"] == {"total_ms": None, "stages": []}
    assert record["points_in_view"] is None
    assert record["points_per_class"] == {}


def test_every_line_is_on_disk_before_the_next_frame(tmp_path):
    path = tmp_path / "fused.jsonl"
    sink = JsonlSink(str(path))
    sink.open()
    for count in range(1, 4):
        sink.process(frame(count))
        lines = path.read_bytes().splitlines(keepends=True)
        assert [json.loads(line)["seq"] for line in lines] == list(range(1, count + 1))
        assert lines[-1].endswith(b"\n")
    sink.close()


def test_a_restarted_sink_keeps_what_it_wrote_before(tmp_path, caplog):
    path = tmp_path / "fused.jsonl"
    write(path, [frame(0), frame(1)])
    write(path, [frame(2)])
    write(path, [frame(3)])
    kept = {p.name: [json.loads(line)["seq"] for line in p.read_text().splitlines()] for p in tmp_path.iterdir()}
    assert kept == {"fused.1.jsonl": [0, 1], "fused.2.jsonl": [2], "fused.jsonl": [3]}
    assert "kept as fused.1.jsonl" in caplog.text


def test_close_without_open_is_harmless(tmp_path):
    JsonlSink(str(tmp_path / "a.jsonl")).close()
    assert list(tmp_path.iterdir()) == []


def test_check_refuses_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    JsonlSink.check(str(tmp_path / "new" / "fused.jsonl"))
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "a.jsonl", "is a file"),
        ("/proc/a.jsonl", "cannot be"),
    ):
        with pytest.raises(UserError, match=reason):
            JsonlSink.check(str(path))
