"""SSD as TensorFlow's Object Detection API builds it: its anchors, its box coder, a background class first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from models.detection.decoding.candidates import Candidates, cells, each_class, sigmoid, softmax


class Ssd:
    """Corrections ``[A, 4]`` dy dx dh dw of anchors, and logits ``[A, 1 + C]`` of the background and the classes.

    Anchors (Liu et al., SSD, Sec. 2.2; ``ssd_anchor_generator`` of that API): level k of L has the scale
    s_k = min + (max − min)·k/(L − 1) of the input's shorter side, an anchor of each aspect ratio, and a square of
    √(s_k·s_{k+1}); the first level only has a square of 0.1 and s_0 at the ratios 2 and ½.

    Args:
        height, width: of the input in pixels.
        classes: how many, without the background.
        strides: of the levels in pixels, finest first.
        min_scale, max_scale: of the first and last level's anchors, as a share of the input's shorter side.
        aspect_ratios: width / height, in the order of the graph's channels.
        coder: what corrections of centre y, centre x, height and width are divided by.
        activation: of the logits.
    """

    def __init__(
        self,
        height: int,
        width: int,
        classes: int,
        *,
        strides: Sequence[int] = (16, 32, 64, 128, 256, 512),
        min_scale: float = 0.2,
        max_scale: float = 0.95,
        aspect_ratios: Sequence[float] = (1.0, 2.0, 0.5, 3.0, 1 / 3),
        coder: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
        activation: Literal["sigmoid", "softmax"] = "sigmoid",
    ) -> None:
        if activation not in ("sigmoid", "softmax"):
            raise ValueError(f"activation {activation!r} is neither sigmoid nor softmax")
        self._activation = activation
        self._coder = np.array(coder, np.float32).reshape(4)
        scales = [*np.linspace(min_scale, max_scale, len(strides)), 1.0]
        centres, sizes = [], []
        for level, stride in enumerate(strides):
            scale, next_scale = scales[level : level + 2]
            shapes = [(scale, ratio) for ratio in aspect_ratios] + [((scale * next_scale) ** 0.5, 1.0)]
            if level == 0:
                shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
            sides = np.array([(s / ratio**0.5, s * ratio**0.5) for s, ratio in shapes]) * min(height, width)
            middles = _middles(height, width, stride)
            centres.append(np.repeat(middles, len(sides), axis=0))
            sizes.append(np.tile(sides, (len(middles), 1)))
        self._centres = np.concatenate(centres).astype(np.float32)
        self._sizes = np.concatenate(sizes).astype(np.float32)
        count = len(self._sizes)
        self.outputs = {"box_encodings": (count, 4), "class_predictions": (count, 1 + classes)}

    def __call__(self, outputs: Mapping[str, np.ndarray], score_threshold: float) -> Candidates:
        logits = outputs["class_predictions"]
        scores = (sigmoid(logits) if self._activation == "sigmoid" else softmax(logits))[:, 1:]
        rows, class_ids = each_class(scores, score_threshold)
        deltas = outputs["box_encodings"][rows] / self._coder
        centres = self._centres[rows] + deltas[:, :2] * self._sizes[rows]
        halves = 0.5 * self._sizes[rows] * np.exp(deltas[:, 2:])
        y1x1, y2x2 = centres - halves, centres + halves
        return Candidates(np.hstack([y1x1[:, ::-1], y2x2[:, ::-1]]), scores[rows, class_ids], class_ids)


def _middles(height: int, width: int, stride: int) -> np.ndarray:
    """The middles ``[A, 2]``, y x in pixels, of cells that divide the input evenly: 19 cells of 300 px are 15.8 px."""
    rows, columns = -(-height // stride), -(-width // stride)
    points, _ = cells(rows, columns, (1,), offset=0.5)
    return points[:, ::-1] * (height / rows, width / columns)
