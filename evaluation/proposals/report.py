"""An evaluation of proposals as plain values, for ``scores.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.proposals.protocol import RecallCurve


def report(curve: RecallCurve, listed: Sequence[int]) -> dict[str, Any]:
    """AUC, AR at the AN that are listed, and the whole curve. Shares, not percent."""
    return {
        "videos": curve.videos,
        "actions": curve.actions,
        "proposals": curve.proposals,
        "proposals_used": curve.used,
        "auc": curve.auc,
        "average_recall_at": {str(number): float(curve.at(number).mean()) for number in listed},
        "curve": {
            "average_number": curve.average_number.tolist(),
            "average_recall": curve.average_recall.tolist(),
            "tiou": curve.tiou.tolist(),
            "recall": curve.recall.tolist(),
        },
    }
