"""Average recall over the average number of proposals (AR@AN), as ActivityNet's public evaluation defines it.

The reference is ``average_recall_vs_avg_nr_proposals`` in activitynet/ActivityNet, ``Evaluation/eval_proposal.py``. AN
is an average over all annotated videos: each video contributes the same share of its own proposals, so that one with
many may use more than AN of them. docs/evaluation.md has the formulas and the differences.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from errors import UserError
from models.bcgnn.segments import temporal_iou

POINTS = 100  # of the curve


class Protocol(NamedTuple):
    """``tiou``: thresholds; ``most``: the AN at the end of the curve; ``listed``: the AN that papers give."""

    tiou: np.ndarray
    most: int
    listed: tuple[int, ...]


PROTOCOLS = {
    "activitynet": Protocol(np.linspace(0.5, 0.95, 10), 100, (1, 5, 10, 50, 100)),
    "thumos": Protocol(np.linspace(0.5, 1.0, 11), 1000, (50, 100, 200, 500, 1000)),
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecallCurve:
    """Recall over the average number of proposals per video. Shares, not percent.

    Attributes:
        tiou: [T] float64, thresholds.
        average_number: [100] float64, AN, rising.
        recall: [T, 100] float64.
        videos: with at least one annotated action.
        actions: annotated in them.
        proposals: of all predictions, those for videos that are not scored among them.
        used: those that the curve rests on, at its end.
    """

    tiou: np.ndarray
    average_number: np.ndarray
    recall: np.ndarray
    videos: int
    actions: int
    proposals: int
    used: int

    @property
    def average_recall(self) -> np.ndarray:
        """AR [100]: the mean over the thresholds."""
        return self.recall.mean(axis=0)

    @property
    def auc(self) -> float:
        """Area under AR over AN, divided by the last AN; the curve begins at its first point, not at 0."""
        return float(np.trapezoid(self.average_recall, self.average_number) / self.average_number[-1])

    def at(self, number: float) -> np.ndarray:
        """Recall [T] at an AN, interpolated between the points of the curve."""
        return np.array([np.interp(number, self.average_number, row) for row in self.recall])


def recall_curve(
    truths: Mapping[str, np.ndarray], proposals: Mapping[str, np.ndarray], protocol: Protocol
) -> RecallCurve:
    """The curve of all videos together.

    Args:
        truths: annotated segments [N, 2] by video, in seconds. Videos without any are not scored.
        proposals: segments [K, 2] by video, best first. A video of ``truths`` may be missing. Those for other videos
            find nothing, and count in the average, as in the public evaluation.

    Raises:
        UserError: no annotated segment, or no proposal.
    """
    truths = {name: segments for name, segments in truths.items() if len(segments)}
    total = sum(map(len, proposals.values()))
    if not truths:
        raise UserError("no action is annotated; there is no truth to score by")
    if not total:
        raise UserError("there are no proposals; there is nothing to score")
    nothing = np.empty((0, 2))
    found = {name: proposals.get(name, nothing) for name in truths}
    ratio = protocol.most * float(len(truths)) / total
    kept = np.array([min(int(len(segments) * ratio), len(segments)) for segments in found.values()])
    used = int(kept.sum())

    # A video's share of its proposals, at each point of the curve.
    share = np.arange(1, POINTS + 1) / 100.0 * (protocol.most * float(len(truths)) / max(used, 1))
    allowed = np.minimum((kept[:, None] * share).astype(np.int64), kept[:, None])
    ranks = [
        _first_ranks(truths[name], segments[:count], protocol.tiou)
        for (name, segments), count in zip(found.items(), kept, strict=True)
    ]
    allowed = np.repeat(allowed, [rank.shape[1] for rank in ranks], axis=0)
    first = np.concatenate(ranks, axis=1)
    return RecallCurve(
        tiou=protocol.tiou,
        average_number=np.arange(1, POINTS + 1) / 100.0 * protocol.most,
        recall=np.array([(row[:, None] < allowed).mean(axis=0) for row in first]),
        videos=len(truths),
        actions=first.shape[1],
        proposals=total,
        used=used,
    )


def _first_ranks(truths_s: np.ndarray, proposals_s: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The rank of the first proposal that finds each of N actions at each threshold: [T, N]; K where none does."""
    if not len(proposals_s):
        return np.zeros((len(thresholds), len(truths_s)), np.int64)
    hits = temporal_iou(truths_s, proposals_s) >= thresholds[:, None, None]
    return np.where(hits.any(axis=2), hits.argmax(axis=2), len(proposals_s))
