"""An evaluation as plain values, for ``scores.json``."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from evaluation.segmentation.protocol import DISTANCE_EDGES_M, Scores, scores
from evaluation.segmentation.score import Counted
from formats.labels import LabelTable

PROTOCOL = (
    "SemanticKITTI, single scan: scores on points, points of true class 0 left out. miou counts a class that is not "
    "there as 0 (the benchmark's number); miou_present is over the classes that labelled points have."
)


def report(counted: Counted, table: LabelTable) -> dict[str, Any]:
    """Scores of all points and of each bin of distance, and the counts they are computed from. No NaN: null."""
    whole = scores(counted.confusion)
    classes = [
        {"id": c, "name": table.names[c], "iou": _number(whole.iou[c]), "points": int(whole.support[c])}
        for c in range(1, len(table.names))
    ]
    return {
        "protocol": PROTOCOL,
        "frames": counted.frames,
        "points": int(counted.confusion.sum()),
        "points_unlabelled": int(whole.support[0]),
        "points_without_distance": int(counted.by_distance[0].sum()),
        **_totals(whole),
        "classes": classes,
        "distance": [
            {"from_m": lower, "to_m": _number(upper), **_totals(part), "iou": [_number(v) for v in part.iou[1:]],
             "class_points": part.support[1:].tolist()}
            for (lower, upper), part in zip(itertools.pairwise(DISTANCE_EDGES_M), by_distance(counted), strict=True)
        ],
        "confusion": counted.confusion.tolist(),
    }  # fmt: skip


def by_distance(counted: Counted) -> list[Scores]:
    """The scores of each bin of :data:`~evaluation.segmentation.protocol.DISTANCE_EDGES_M`, nearest first."""
    return [scores(counts) for counts in counted.by_distance[1:]]


def _totals(part: Scores) -> dict[str, Any]:
    return {
        "points_labelled": part.labelled,
        "miou": _number(part.miou),
        "miou_present": _number(part.miou_present),
        "classes_present": int(part.present.sum()),
        "accuracy": _number(part.accuracy),
        "accuracy_official": _number(part.accuracy_official),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
