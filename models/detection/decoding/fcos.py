"""FCOS: boxes by the distances of their sides from a point (Tian et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.detection.decoding.candidates import Candidates, Wanted, cells, each_class, logit, sigmoid


class Fcos:
    """Class logits ``[A, C]`` and distances ``[A, 4]`` of the left, top, right and bottom side, in strides; where
    ``centerness`` is true its logits ``[A]`` too. Points are the middles of cells.

    The score is the root of class probability times centre-ness, as the authors' release has it (the paper's product
    ranks alike), or the class probability alone.

    Args:
        height, width: of the input in pixels.
        classes: how many.
        strides: of the levels in pixels, finest first.
        centerness: whether the graph gives it.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        strides: Sequence[int] = (8, 16, 32, 64, 128),
        centerness: bool = True,
    ) -> None:
        self._points, self._strides = cells(height, width, tuple(strides), offset=0.5)
        count = len(self._strides)
        self.outputs: dict[str, Wanted] = {"class_logits": (count, classes), "regression": (count, 4)}
        if centerness:
            self.outputs["centerness"] = (count,)
        self._centerness = centerness

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        logits = outputs["class_logits"]
        # With √(p·c) > t and c ≤ 1, p > t²: few are left to look at.
        rows, class_ids = each_class(logits, logit(score_threshold**2 if self._centerness else score_threshold))
        scores = sigmoid(logits[rows, class_ids])
        if self._centerness:
            scores = np.sqrt(scores * sigmoid(outputs["centerness"][rows]))
            above = scores > score_threshold
            rows, class_ids, scores = rows[above], class_ids[above], scores[above]
        sides = outputs["regression"][rows] * self._strides[rows, None]
        points = self._points[rows]
        return Candidates(np.hstack([points - sides[:, :2], points + sides[:, 2:]]), scores, class_ids)
