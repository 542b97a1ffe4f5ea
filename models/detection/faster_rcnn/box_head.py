"""The second stage: what a region is, and where exactly."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.detection.faster_rcnn.regions import ROI_SIZE

_POOLED = ROI_SIZE // 2


class BoxHead(nn.Module):
    """Two fully connected layers on 7×7 cells (Lin et al., CVPR 2017, Sec. 4.2), then classes and a box.

    The 14×14 cells of a region are averaged to 7×7, which is RoIAlign to 7×7 with twice its samples.

    Args:
        classes: C.
        channels: of a region's features.
        hidden: outputs of either layer.
    """

    def __init__(self, classes: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.AvgPool2d(2), nn.Flatten()),
            *(nn.Linear(channels * _POOLED**2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
        )
        self.classes = nn.Linear(hidden, classes + 1)
        self.deltas = nn.Linear(hidden, 4)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.classes.bias)
        nn.init.zeros_(self.deltas.bias)

    def predict(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """[R, hidden] → class logits [R, C + 1], the last for background, and deltas [R, 4] of whatever it is."""
        return self.classes(features).float(), self.deltas(features).float()


def box_losses(logits: Tensor, deltas: Tensor, labels: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Fast R-CNN's Eq. 1: the mean cross-entropy over regions, and the smooth L1 of the deltas of those with an object,
    over the number of all.

    Args:
        logits, deltas: of :meth:`BoxHead.predict`.
        labels: [R], C for background.
        wanted: [R, 4].
    """
    background = logits.shape[1] - 1
    positive = labels < background
    count = max(len(labels), 1)
    return {
        "classes": F.cross_entropy(logits, labels, reduction="sum") / count,
        "boxes": F.smooth_l1_loss(deltas[positive], wanted[positive], reduction="sum") / count,
    }
