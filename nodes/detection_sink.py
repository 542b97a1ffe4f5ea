"""Write the objects of each camera frame as one line of JSON, where there is no LiDAR to fuse them with.

A line, keys in this order::

    {"seq": 42, "name": "000042", "stamp_ns": 1317013342000000000,
     "objects": [{"box": [x1, y1, x2, y2], "class_name": "car", "score": 0.9}],
     "latency": {"total_ms": 31.0, "stages": [{"node": "detector", "stage": "compute", "ms": 24.1}, …]}}

Boxes in pixels of the frame; a frame without objects has a line too. ``latency`` is that of :mod:`nodes.jsonl_sink`,
and holds all that differs between two runs on the same data.
"""

from __future__ import annotations

from typing import Any

from nodes._line_file import LineSink
from nodes.jsonl_sink import latency
from pipeline.messages import Detections


class DetectionSink(LineSink):
    """One line per frame, as described in this module.

    Args:
        out: the file to write, usually ``….jsonl``; its folder is made where it is missing.
    """

    def process(self, detections: Detections) -> None:
        """Append one line."""
        self.append(_record(detections))


def _record(found: Detections) -> dict[str, Any]:
    return {
        "seq": found.header.seq,
        "name": found.header.name,
        "stamp_ns": found.header.stamp_ns,
        "objects": [
            {"box": box, "class_name": found.class_names[class_id], "score": score}
            for box, score, class_id in zip(
                found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
            )
        ],
        "latency": latency(found.header),
    }
