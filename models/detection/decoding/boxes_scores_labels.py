"""Graphs that decode and suppress themselves: boxes, their scores, their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from models.detection.decoding.candidates import Candidates


class BoxesScoresLabels:
    """Boxes ``[K, 4]``, scores ``[K]``, 0..1, and labels ``[K]``. Where K is fixed, what is no object has the score 0.

    Args:
        height, width: of the input in pixels.
        classes: how many.
        order: of a box: ``xyxy`` x1 y1 x2 y2 or, as TensorFlow has it, ``yxyx``.
        unit: of a box: ``pixels`` of the input, or ``fraction`` of its size.
        first_label: what the graph calls the first class: 1 where its 0 is the background.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        order: Literal["xyxy", "yxyx"] = "xyxy",
        unit: Literal["pixels", "fraction"] = "pixels",
        first_label: int = 0,
    ) -> None:
        if order not in ("xyxy", "yxyx") or unit not in ("pixels", "fraction"):
            raise ValueError(f"order {order!r} and unit {unit!r}: give xyxy or yxyx, pixels or fraction")
        self._columns = [0, 1, 2, 3] if order == "xyxy" else [1, 0, 3, 2]
        self._scale = np.array([width, height] * 2 if unit == "fraction" else [1] * 4, np.float32)
        self._first_label = first_label
        self._classes = classes
        self.outputs = {"boxes": ("K", 4), "scores": ("K",), "labels": ("K",)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        rows = np.flatnonzero(outputs["scores"] > score_threshold)
        class_ids = outputs["labels"][rows].astype(np.int64) - self._first_label
        beyond = class_ids[(class_ids < 0) | (class_ids >= self._classes)]
        if len(beyond):
            raise ValueError(
                f"the graph gives the label {beyond[0] + self._first_label}, but its {self._classes} classes are "
                f"{self._first_label}..{self._first_label + self._classes - 1}"
            )
        return Candidates(outputs["boxes"][rows][:, self._columns] * self._scale, outputs["scores"][rows], class_ids)
