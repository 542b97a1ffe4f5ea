"""A JSON line per frame, of what was found in it; frames without objects too."""

import json

import numpy as np
import pytest

from errors import UserError
from nodes.detection_sink import DetectionSink
from pipeline.messages import Detections, Header


def found(seq, *objects):
    """Objects: box, score, class."""
    return Detections(
        header=Header(seq=seq, name=f"{seq:06d}", stamp_ns=seq * 40_000_000),
        boxes=np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in objects], np.float32),
        class_ids=np.array([class_id for _, _, class_id in objects], np.int32),
        class_names=("car", "person"),
    )


def test_a_line_per_frame(tmp_path):
    sink = DetectionSink(str(tmp_path / "made" / "objects.jsonl"))
    sink.open()
    sink.process(found(3, ((1.5, 2, 30, 40), 0.75, 1), ((0, 0, 9, 9), 0.5, 0)))
    sink.process(found(4))
    sink.close()
    first, second = map(json.loads, (tmp_path / "made" / "objects.jsonl").read_text().splitlines())
    assert list(first) == ["seq", "name", "stamp_ns", "objects", "latency"]
    assert (first["seq"], first["name"], first["stamp_ns"]) == (3, "000003", 120_000_000)
    assert first["objects"] == [
        {"box": [1.5, 2, 30, 40], "class_name": "person", "score": 0.75},
        {"box": [0, 0, 9, 9], "class_name": "car", "score": 0.5},
    ]
    assert (second["seq"], second["objects"]) == (4, [])


def test_where_it_cannot_write_is_said_before_the_run(tmp_path):
    (tmp_path / "file").touch()
    DetectionSink.check(str(tmp_path / "new" / "objects.jsonl"))
    with pytest.raises(UserError, match=r"file is a file; give another output folder"):
        DetectionSink.check(str(tmp_path / "file" / "objects.jsonl"))
