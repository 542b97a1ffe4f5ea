"""DETR and its kin: a set of queries, each an object or none (Carion et al., arXiv:2005.12872)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from models.detection.decoding.candidates import Candidates, best_class, sigmoid, softmax


class Detr:
    """Logits ``[Q, C + 1]``, "no object" last, and boxes ``[Q, 4]``: centre x y, width, height as shares of the input.

    A query is one object at most; no suppression is needed.

    Args:
        height, width: of the input in pixels.
        classes: how many, without "no object".
        activation: of the logits; ``sigmoid`` (Deformable DETR, RT-DETR): they have no "no object".
    """

    def __init__(
        self, height: int, width: int, classes: int, *, activation: Literal["softmax", "sigmoid"] = "softmax"
    ) -> None:
        if activation not in ("softmax", "sigmoid"):
            raise ValueError(f"activation {activation!r} is neither softmax nor sigmoid")
        self._size = np.array([width, height], np.float32)
        self._activation = softmax if activation == "softmax" else sigmoid
        self._classes = classes
        self.outputs = {"logits": ("Q", classes + (activation == "softmax")), "pred_boxes": ("Q", 4)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        scores = self._activation(outputs["logits"])[:, : self._classes]
        rows, class_ids = best_class(scores, score_threshold)
        boxes = outputs["pred_boxes"][rows]
        centres, halves = boxes[:, :2] * self._size, 0.5 * boxes[:, 2:] * self._size
        return Candidates(np.hstack([centres - halves, centres + halves]), scores[rows, class_ids], class_ids)
