"""RetinaNet, and every detector that corrects anchor boxes and gives each class a logit (sigmoid, no background)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from models.detection.decoding.candidates import Candidates, cells, each_class, logit, sigmoid

MAX_LOG_SCALE = math.log(1000 / 16)
"""A box is at most exp of this times as wide and high as its anchor, as in :mod:`models.detection.boxes`."""


class RetinaNet:
    """Class logits ``[A, C]`` and corrections ``[A, 4]`` dx dy dw dh of anchors (Girshick et al., R-CNN, appendix C).

    Anchors as in :mod:`models.detection.priors`: in each cell ``octaves`` sizes, ``scale``·2^(k/octaves) strides, in
    each of the ``ratios`` (height / width) at the same area; by level, row, column, size, ratio.

    Args:
        height, width: of the input in pixels.
        classes: how many.
        strides: of the levels in pixels, finest first.
        variances: what the corrections of x, y, width and height are multiplied by.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        strides: Sequence[int] = (8, 16, 32, 64, 128),
        scale: float = 4.0,
        octaves: int = 3,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        variances: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
    ) -> None:
        sides = scale * 2 ** (np.arange(octaves) / octaves)
        shapes = np.array([(side * ratio**-0.5, side * ratio**0.5) for side in sides for ratio in ratios], np.float32)
        points, cell_strides = cells(height, width, tuple(strides), offset=0.5)
        self._centres = np.repeat(points, len(shapes), axis=0)
        self._sizes = (cell_strides[:, None, None] * shapes).reshape(-1, 2)
        self._variances = np.array(variances, np.float32).reshape(4)
        self.outputs = {"class_logits": (len(self._sizes), classes), "regression": (len(self._sizes), 4)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        logits = outputs["class_logits"]
        rows, class_ids = each_class(logits, logit(score_threshold))
        deltas = outputs["regression"][rows] * self._variances
        centres = self._centres[rows] + deltas[:, :2] * self._sizes[rows]
        halves = 0.5 * self._sizes[rows] * np.exp(np.minimum(deltas[:, 2:], MAX_LOG_SCALE))
        return Candidates(np.hstack([centres - halves, centres + halves]), sigmoid(logits[rows, class_ids]), class_ids)
