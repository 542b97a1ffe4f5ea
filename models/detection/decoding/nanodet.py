"""NanoDet: class scores, and each side of a box as a distribution (Generalized Focal Loss, arXiv:2006.04388, Eq. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.detection.decoding.candidates import Candidates, cells, each_class, softmax


class NanoDet:
    """One output ``[A, C + 4·(reg_max + 1)]``: classes after their sigmoid, then for left, top, right and bottom the
    logits of the distances 0 … ``reg_max`` strides from the cell's point; the mean of the distribution is the side's.

    Args:
        height, width: of the input in pixels.
        classes: how many.
        strides: of the levels in pixels, finest first. NanoDet-Plus has four; the first NanoDet 8, 16, 32.
        reg_max: the farthest distance in strides.
        offset: of a cell's point from its corner in strides: 0 for NanoDet-Plus, 0.5 for the first NanoDet.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        strides: Sequence[int] = (8, 16, 32, 64),
        reg_max: int = 7,
        offset: float = 0.0,
    ) -> None:
        self._points, self._strides = cells(height, width, tuple(strides), offset)
        self._distances = np.arange(reg_max + 1, dtype=np.float32)
        self._classes = classes
        self.outputs = {"output": (len(self._strides), classes + 4 * (reg_max + 1))}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        output = outputs["output"]
        scores = output[:, : self._classes]
        rows, class_ids = each_class(scores, score_threshold)
        likely = softmax(output[rows, self._classes :].reshape(len(rows), 4, len(self._distances)))
        sides = (likely @ self._distances) * self._strides[rows, None]
        points = self._points[rows]
        boxes = np.hstack([points - sides[:, :2], points + sides[:, 2:]])
        return Candidates(boxes, scores[rows, class_ids], class_ids)
