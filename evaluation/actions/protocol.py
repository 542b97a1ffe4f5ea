"""Mean average precision of detected actions, as ActivityNet's public evaluation defines it.

The reference is ``compute_average_precision_detection`` in activitynet/ActivityNet, ``Evaluation/eval_detection.py``:
PASCAL VOC's average precision over all points of the curve, with temporal IoU. docs/evaluation.md has the differences.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from errors import UserError
from formats.temporal.annotations import AnnotatedVideo
from formats.temporal.results import Proposals
from models.bcgnn.segments import temporal_iou

THRESHOLDS = {"activitynet": np.linspace(0.5, 0.95, 10), "thumos": np.linspace(0.3, 0.7, 5)}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ActionScores:
    """Average precision of each class that is annotated. Shares, not percent.

    Attributes:
        tiou: [T] float64, thresholds.
        classes: C names, in the order of their first annotation.
        average_precision: [T, C] float64; 0 for a class that is never predicted.
        annotated, predicted: [C] int64.
        other_labels: predictions, by label, of classes that are not annotated; they are not scored.
    """

    tiou: np.ndarray
    classes: tuple[str, ...]
    average_precision: np.ndarray
    annotated: np.ndarray
    predicted: np.ndarray
    other_labels: dict[str, int]

    @property
    def mean_average_precision(self) -> np.ndarray:
        """mAP [T]: the mean over the classes."""
        return self.average_precision.mean(axis=1)


def score_actions(
    truths: Mapping[str, AnnotatedVideo], predictions: Mapping[str, Proposals], thresholds: np.ndarray
) -> ActionScores:
    """Average precision per class, over all videos together.

    A prediction for a video without an action of its class is wrong, whether or not the video is among ``truths``.

    Raises:
        UserError: nothing is annotated; predictions without labels; no label of theirs is annotated.
    """
    annotated = _truths_by_class(truths)
    if not annotated:
        raise UserError("no action is annotated; there is no truth to score by")
    predicted = _predictions_by_class(predictions)
    if not annotated.keys() & predicted.keys():
        raise UserError(
            f"no label of the predictions (such as {next(iter(predicted), None)!r}) is annotated (such as "
            f"{next(iter(annotated))!r}); give predictions of the same classes"
        )
    precision = [_average_precision(annotated[label], predicted.get(label, []), thresholds) for label in annotated]
    counts = {label: sum(len(part.scores) for _, part in parts) for label, parts in predicted.items()}
    return ActionScores(
        tiou=thresholds,
        classes=tuple(annotated),
        average_precision=np.stack(precision, axis=1),
        annotated=np.array([sum(map(len, videos.values())) for videos in annotated.values()]),
        predicted=np.array([counts.get(label, 0) for label in annotated]),
        other_labels={label: count for label, count in counts.items() if label not in annotated},
    )


def _truths_by_class(truths: Mapping[str, AnnotatedVideo]) -> dict[str, dict[str, np.ndarray]]:
    """Segments [N, 2] by class and video."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, video in truths.items():
        labels = np.array(video.labels)
        for label in dict.fromkeys(video.labels):
            found.setdefault(label, {})[name] = video.segments_s[labels == label]
    return found


def _predictions_by_class(predictions: Mapping[str, Proposals]) -> dict[str, list[tuple[str, Proposals]]]:
    """Each class with its predictions per video, in the order of the videos."""
    found: dict[str, list[tuple[str, Proposals]]] = {}
    for name, video in predictions.items():
        if not len(video.scores):
            continue
        if video.labels is None:
            raise UserError(f"video {name!r}: predictions without labels; score them with evaluate proposals")
        labels = np.array(video.labels)
        for label in dict.fromkeys(video.labels):
            here = labels == label
            part = Proposals(segments_s=video.segments_s[here], scores=video.scores[here])
            found.setdefault(label, []).append((name, part))
    return found


def _average_precision(
    truths_s: Mapping[str, np.ndarray], predictions: list[tuple[str, Proposals]], thresholds: np.ndarray
) -> np.ndarray:
    """Of one class, [T]: the area under precision, made falling, over recall."""
    if not predictions:
        return np.zeros(len(thresholds))
    nothing = np.empty((0, 2))
    hits = np.concatenate(
        [_hits(temporal_iou(part.segments_s, truths_s.get(name, nothing)), thresholds) for name, part in predictions],
        axis=1,
    )
    scores = np.concatenate([part.scores for _, part in predictions])
    hits = hits[:, np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits, axis=1) / np.arange(1, len(scores) + 1)
    best_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return (best_from_here * hits).sum(axis=1) / sum(map(len, truths_s.values()))


def _hits(tiou: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Which of K predictions of one video find an action, [T, K] bool: each, best first, the nearest still free one.

    ``tiou`` [K, N] with the N actions of the class.
    """
    hits = np.zeros((len(thresholds), len(tiou)), bool)
    if not tiou.shape[1]:
        return hits
    free = np.ones((len(thresholds), tiou.shape[1]), bool)
    for k in np.flatnonzero(tiou.max(axis=1) >= thresholds[0]):
        reached = free & (tiou[k] >= thresholds[:, None])
        nearest = np.where(reached, tiou[k], -1.0).argmax(axis=1)
        hits[:, k] = reached.any(axis=1)
        free[hits[:, k], nearest[hits[:, k]]] = False
    return hits
