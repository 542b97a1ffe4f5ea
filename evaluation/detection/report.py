"""An evaluation of detected boxes as plain values, for ``scores.json``."""

from __future__ import annotations

import math
from typing import Any

from evaluation.detection.protocol import DetectionScores


def report(scores: DetectionScores) -> dict[str, Any]:
    """COCO's twelve numbers, and AP of each class. Shares, not percent. No NaN: null."""
    sizes = ("small", "medium", "large")
    return {
        "pictures": scores.pictures,
        "objects": int(scores.annotated.sum()),
        "detections": int(scores.predicted.sum()),
        "ap": _number(scores.ap),
        "ap50": _number(scores.ap50),
        "ap75": _number(scores.ap75),
        **{f"ap_{size}": _number(value) for size, value in zip(sizes, scores.ap_by_size, strict=True)},
        **{f"ar_{most}": _number(value) for most, value in zip((1, 10, 100), scores.ar, strict=True)},
        **{f"ar_{size}": _number(value) for size, value in zip(sizes, scores.ar_by_size, strict=True)},
        "classes": [
            {"name": name, "objects": int(annotated), "detections": int(predicted),
             **dict(zip(("ap", "ap50", "ap75"), map(_number, row), strict=True))}
            for name, annotated, predicted, row in zip(
                scores.class_names, scores.annotated, scores.predicted, scores.class_ap, strict=True
            )
        ],
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
