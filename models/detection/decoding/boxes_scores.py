"""Graphs that decode themselves: boxes and a score for every class, without suppression."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.detection.decoding.candidates import Candidates, each_class


class BoxesScores:
    """Boxes ``[A, 4]`` x1 y1 x2 y2 in pixels of the input, and scores ``[A, C]``, 0..1, without a background.

    Args:
        height, width: of the input in pixels.
        classes: how many.
    """

    def __init__(self, height: int, width: int, classes: int) -> None:
        self.outputs = {"boxes": ("A", 4), "scores": ("A", classes)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        rows, class_ids = each_class(outputs["scores"], score_threshold)
        return Candidates(outputs["boxes"][rows], outputs["scores"][rows, class_ids], class_ids)
