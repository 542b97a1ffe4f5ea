"""Write each fused frame as one line of JSON.

A line, keys in this order::

    {"seq": 42, "name": "000042", "stamp_ns": 1317013342000000000,
     "points": 124668, "points_in_view": 18211,            // null where no calibrated image was there
     "points_per_class": {"road": 40211, "car": 9022},     // classes present, in the model's order
     "inputs": [{"topic": "image", "reason": "ok", "stamp_ns": 1317013342010000000}],
     "objects": [{"box": [x1, y1, x2, y2], "class_name": "car", "score": 0.9, "track_id": 3, "distance_m": 12.4,
                  "extent_min": [x, y, z], "extent_max": [x, y, z], "point_count": 210}],
     "proposals": [{"start_s": 1.5, "end_s": 4.0, "score": 0.8, "final": true}],
     "latency": {"total_ms": 83.1, "stages": [{"node": "projection", "stage": "transport", "ms": 0.4}, …]}}

Boxes in pixels, distances and extents in metres in the LiDAR's frame; what is not known is null. ``latency`` holds all
that differs between two runs on the same data; the rest of two runs can be compared. ``total_ms`` counts from when the
measurement was due to when the last node before this sink had finished, and the stages (:mod:`pipeline.stages`), in
their order, add up to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nodes._line_file import LineSink
from pipeline.messages import FusedFrame, Header
from pipeline.stages import stages


class JsonlSink(LineSink):
    """One line per frame, as described in this module.

    Args:
        out: the file to write, usually ``….jsonl``; its folder is made where it is missing.
    """

    def process(self, fused: FusedFrame) -> None:
        """Append one line."""
        self.append(frame_record(fused))


def frame_record(fused: FusedFrame) -> dict[str, Any]:
    """What is written of a frame: plain values, as this module describes them."""
    counts = np.bincount(fused.labels, minlength=len(fused.class_names))
    in_view = None if fused.pixels is None else int(np.isfinite(fused.pixels[:, 0]).sum())
    return {
        "seq": fused.header.seq,
        "name": fused.header.name,
        "stamp_ns": fused.header.stamp_ns,
        "points": len(fused.points),
        "points_in_view": in_view,
        "points_per_class": {name: int(counts[i]) for i, name in enumerate(fused.class_names) if counts[i]},
        "inputs": fused.inputs,
        "objects": fused.objects,
        "proposals": fused.proposals,
        "latency": latency(fused.header),
    }


def latency(header: Header) -> dict[str, Any]:
    """Where the time went, in milliseconds. What cannot be known (no ``due_ns``, no hops) is None."""
    found = stages(header) if header.due_ns else []
    return {
        "total_ms": (found[-1].end_ns - header.due_ns) / 1e6 if found else None,
        "stages": [{"node": s.node, "stage": s.kind, "ms": s.duration_ns / 1e6} for s in found],
    }
