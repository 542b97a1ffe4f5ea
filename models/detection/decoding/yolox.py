"""YOLOX, exported without its decoding (``decode_in_inference=False``): Ge et al., arXiv:2107.08430."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.detection.decoding.candidates import Candidates, best_class, cells


class YoloX:
    """One output ``[A, 5 + C]``: x y (from the cell's corner, in strides), ln of width and height (in strides),
    objectness, classes; the last two after their sigmoid. The score of a class is its product with the objectness.

    Args:
        height, width: of the input in pixels.
        classes: how many.
        strides: of the levels in pixels, finest first.
    """

    def __init__(self, height: int, width: int, classes: int, *, strides: Sequence[int] = (8, 16, 32)) -> None:
        self._corners, self._strides = cells(height, width, tuple(strides), offset=0.0)
        self.outputs = {"output": (len(self._strides), 5 + classes)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        output = outputs["output"]
        scores = output[:, 4:5] * output[:, 5:]
        rows, class_ids = best_class(scores, score_threshold)
        stride = self._strides[rows, None]
        centres = self._corners[rows] + output[rows, :2] * stride
        halves = 0.5 * np.exp(output[rows, 2:4]) * stride
        return Candidates(np.hstack([centres - halves, centres + halves]), scores[rows, class_ids], class_ids)
