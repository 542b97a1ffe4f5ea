"""An evaluation of detected actions as plain values, for ``scores.json``."""

from __future__ import annotations

from typing import Any

from evaluation.actions.protocol import ActionScores


def report(scores: ActionScores) -> dict[str, Any]:
    """mAP per threshold and in the mean, and the average precision of each class. Shares, not percent."""
    return {
        "tiou": scores.tiou.tolist(),
        "map": scores.mean_average_precision.tolist(),
        "average_map": float(scores.mean_average_precision.mean()),
        "classes": [
            {"name": name, "annotated": int(annotated), "predicted": int(predicted), "average_precision": row.tolist()}
            for name, annotated, predicted, row in zip(
                scores.classes, scores.annotated, scores.predicted, scores.average_precision.T, strict=True
            )
        ],
        "labels_not_annotated": scores.other_labels,
    }
