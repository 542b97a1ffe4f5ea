"""Average precision of detected boxes as COCO defines it, by the public evaluator (pycocotools).

Everything is scored in COCO's own form: what is in memory is brought into it, a file of annotations is taken as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import UserError

if TYPE_CHECKING:
    from formats.detection.dataset import Picture

Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of one picture: boxes [K, 4] x1 y1 x2 y2 in pixels, scores [K], class ids [K] from 0."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DetectionScores:
    """What COCO's evaluation gives. Shares, not percent; NaN where there is no object to find.

    Attributes:
        class_names: C of them.
        iou: [10] float64, the thresholds 0.5 to 0.95.
        precision: [10, 101, C, 4] float64, at recall 0, 0.01, … 1, for objects of any size, small (below 32² pixels),
            medium and large (above 96²), of the 100 best detections of a class in a picture.
        recall: [10, C, 4, 3] float64, the largest, with the 1, 10 and 100 best detections.
        annotated: [C] int64, objects to find; ignored ones are not among them.
        predicted: [C] int64, detections.
        pictures: how many were scored.
    """

    class_names: tuple[str, ...]
    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    annotated: np.ndarray
    predicted: np.ndarray
    pictures: int

    @property
    def ap(self) -> float:
        """COCO's AP: the mean over thresholds and classes."""
        return _mean(self.precision[..., 0])

    @property
    def ap50(self) -> float:
        """AP at IoU 0.5."""
        return _mean(self.precision[0, ..., 0])

    @property
    def ap75(self) -> float:
        """AP at IoU 0.75."""
        return _mean(self.precision[5, ..., 0])

    @property
    def ap_by_size(self) -> tuple[float, float, float]:
        """AP of small, medium and large objects."""
        small, medium, large = (_mean(self.precision[..., k]) for k in (1, 2, 3))
        return small, medium, large

    @property
    def ar(self) -> tuple[float, float, float]:
        """Average recall with the 1, 10 and 100 best detections of a class in a picture."""
        one, ten, hundred = (_mean(self.recall[:, :, 0, k]) for k in range(3))
        return one, ten, hundred

    @property
    def ar_by_size(self) -> tuple[float, float, float]:
        """Average recall of small, medium and large objects."""
        small, medium, large = (_mean(self.recall[:, :, k, 2]) for k in (1, 2, 3))
        return small, medium, large

    @property
    def class_ap(self) -> np.ndarray:
        """AP, AP50 and AP75 of each class: [C, 3]."""
        whole = self.precision[..., 0]
        return np.array(
            [[_mean(part[..., c]) for part in (whole, whole[0], whole[5])] for c in range(len(self.class_names))]
        ).reshape(-1, 3)


def coco_scores(
    truths: Sequence[Picture], predictions: Sequence[Prediction], class_names: Sequence[str]
) -> DetectionScores:
    """Score what was found in each picture.

    Args:
        truths: the pictures with their objects. Detections in an ignored region of their class count neither
            as right nor as wrong, as in COCO's crowds.
        predictions: one for each of ``truths``, in their order.
        class_names: what the class ids mean.

    Raises:
        UserError: there is no object to find.
    """
    results = [
        {"image_id": k, "category_id": category, "bbox": box, "score": score}
        for k, (boxes, scores, class_ids) in enumerate(predictions)
        for box, score, category in zip(_xywh(boxes), scores.tolist(), class_ids.tolist(), strict=True)
    ]
    return score_coco_form(coco_form(truths, class_names), results)


def coco_form(
    truths: Sequence[Picture], class_names: Sequence[str], category_ids: Sequence[int] | None = None
) -> dict[str, Any]:
    """Annotations in COCO's form. Pictures are numbered from 0; ``category_ids``: of the classes; None: from 0 too."""
    ids = range(len(class_names)) if category_ids is None else category_ids
    return {
        "images": [{"id": k, "file_name": str(truth.file)} for k, truth in enumerate(truths)],
        "categories": [{"id": number, "name": name} for number, name in zip(ids, class_names, strict=True)],
        "annotations": [
            {"image_id": k, "category_id": ids[label], "bbox": box, "area": area, "iscrowd": int(ignored)}
            for k, truth in enumerate(truths)
            for box, label, area, ignored in zip(
                _xywh(truth.boxes), truth.labels.tolist(), truth.areas.tolist(), truth.ignored.tolist(), strict=True
            )
        ],
    }


def score_coco_form(annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> DetectionScores:
    """Score results in COCO's form by annotations in COCO's form.

    Every annotation and result is numbered anew, from 1: the public evaluator takes an object of id 0 for one that
    nobody found.

    Args:
        annotations: ``images``, ``categories`` and ``annotations`` with ``bbox``, ``area`` and ``iscrowd``.
        results: ``image_id``, ``category_id``, ``bbox`` and ``score`` of images and categories that are there.

    Raises:
        UserError: there is no object to find.
    """
    from pycocotools.cocoeval import COCOeval

    objects = [a for a in annotations["annotations"] if not a["iscrowd"]]
    if not objects:
        raise UserError("no object is annotated; there is no truth to score by")
    found = [{**r, "area": r["bbox"][2] * r["bbox"][3], "iscrowd": 0} for r in results]
    with _silent():
        truth = _index(annotations, annotations["annotations"])
        evaluation = COCOeval(truth, _index(annotations, found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    categories = sorted(annotations["categories"], key=lambda category: category["id"])
    ids = [category["id"] for category in categories]
    annotated, predicted = (Counter(entry["category_id"] for entry in entries) for entries in (objects, results))
    return DetectionScores(
        class_names=tuple(category["name"] for category in categories),
        iou=evaluation.params.iouThrs,
        precision=_absent_is_nan(evaluation.eval["precision"][..., 2]),
        recall=_absent_is_nan(evaluation.eval["recall"]),
        annotated=np.array([annotated[c] for c in ids]),
        predicted=np.array([predicted[c] for c in ids]),
        pictures=len(annotations["images"]),
    )


def _index(annotations: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    numbered = [{**entry, "id": k} for k, entry in enumerate(entries, start=1)]
    coco.dataset = {
        "images": annotations["images"],
        "categories": annotations["categories"],
        "annotations": numbered,
    }
    coco.createIndex()
    return coco


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The public evaluator prints what it does."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _xywh(boxes: np.ndarray) -> list[list[float]]:
    """x1 y1 x2 y2 → x y width height, computed in float64."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()


def _absent_is_nan(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, np.nan, values)


def _mean(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else float("nan")
