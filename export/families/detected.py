"""Detectors whose graph decodes, or decodes and suppresses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.detection.inference import boxes_and_scores
from models.detection.onnx_operators import non_maximum_suppression

CANDIDATES = 1000
"""Boxes of an image that go into suppression: those whose best class scores most."""


class Decoded(nn.Module):
    """``image`` [N, 3, H, W] → ``boxes`` [N, A, 4] in pixels of the input, ``scores`` [N, A, C]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return boxes_and_scores(self.network, image)


class Suppressed(Decoded):
    """``image`` [N, 3, H, W] → the K best: ``boxes`` [N, K, 4], ``scores`` [N, K], best first, ``labels`` [N, K] int32.

    Where there are fewer, the rest has the score 0.

    Args:
        network: a detector.
        score_threshold: 0..1, what does not score more is not looked at.
        nms_iou: 0..1, of two of a class that overlap by more, the one that scores less goes.
        most: K.
    """

    def __init__(self, network: nn.Module, score_threshold: float, nms_iou: float, most: int) -> None:
        super().__init__(network)
        self.score_threshold, self.nms_iou, self.most = score_threshold, nms_iou, most

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        boxes, scores = super().forward(image)
        classes = scores.shape[2]
        best = scores.amax(2).topk(min(CANDIDATES, scores.shape[1])).indices
        boxes = boxes.gather(1, best[..., None].expand(-1, -1, 4))
        scores = scores.gather(1, best[..., None].expand(-1, -1, classes))
        stays = non_maximum_suppression(
            boxes,
            scores.transpose(1, 2),
            iou_threshold=self.nms_iou,
            most=self.most,
            score_threshold=self.score_threshold,
        )
        left = (scores * stays.transpose(1, 2)).flatten(1)
        top = left.topk(min(self.most, left.shape[1]))
        place = torch.div(top.indices, classes, rounding_mode="floor")
        boxes = boxes.gather(1, place[..., None].expand(-1, -1, 4))
        return boxes, top.values, (top.indices - place * classes).to(torch.int32)
