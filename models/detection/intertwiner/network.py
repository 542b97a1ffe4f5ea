"""InterNet: Faster R-CNN with make-up layer and critic, and what guides them in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from errors import require_known
from models.detection.faster_rcnn.box_head import box_losses
from models.detection.faster_rcnn.network import FasterRCNN
from models.detection.faster_rcnn.regions import TrainedRegions, pool
from models.detection.intertwiner.guidance import Guidance
from models.detection.intertwiner.layers import Critic, MakeUp

FUSIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linear": lambda detection, critic: 0.5 * detection + 0.5 * critic,
    "add": lambda detection, critic: detection + critic,
    "separate": lambda detection, critic: detection,
}
"""Table 2c: what classes and boxes are predicted from."""


class InterNet(FasterRCNN):
    """The defaults are the paper's best: all history, l2, optimal transport, linear fusion.

    At inference only the make-up layer and the critic are there beside Faster R-CNN's parts.

    Args:
        classes: C.
        backbone: of :data:`models.detection.backbones.BACKBONES`: a ResNet.
        source, alignment, divergence, weight, history, level_buffers, detach, last_level, split: options of the
            paper's ablation (:class:`~models.detection.intertwiner.guidance.Guidance`).
        fusion: of :data:`FUSIONS`. ``add`` is there because the paper shows that it diverges.
        faster_rcnn: further arguments of :class:`~models.detection.faster_rcnn.network.FasterRCNN`.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "resnet50",
        *,
        source: str = "generator",
        alignment: str = "ot",
        divergence: str = "l2",
        weight: float = 1.0,
        history: str = "all",
        level_buffers: bool = False,
        detach: bool = True,
        last_level: bool = True,
        split: str = "level",
        fusion: str = "linear",
        **faster_rcnn: Any,
    ) -> None:
        super().__init__(classes, backbone, **faster_rcnn)
        require_known("fusion", fusion, FUSIONS)
        guidance = {
            "source": source,
            "alignment": alignment,
            "divergence": divergence,
            "weight": weight,
            "history": history,
            "level_buffers": level_buffers,
            "detach": detach,
            "last_level": last_level,
            "split": split,
        }
        channels, hidden = self.arguments["channels"], self.arguments["hidden"]
        self.make_up = MakeUp(channels)
        self.critic = Critic(channels, hidden)
        self.guidance = Guidance(classes, channels, hidden, **guidance)
        self.fuse = FUSIONS[fusion]
        self.arguments |= {**guidance, "fusion": fusion}

    def features(self, pooled: Tensor) -> Tensor:
        """[R, channels, 14, 14] → [R, hidden], what classes and boxes are predicted from."""
        return self._fused_and_critics(pooled)[0]

    def region_losses(self, levels: Sequence[Tensor], regions: TrainedRegions) -> dict[str, Tensor]:
        """Of the second stage, and the intertwiner's."""
        level = self.level_of(regions.boxes)
        fused, of_critic = self._fused_and_critics(pool(levels, regions.boxes, regions.images, level))
        losses = box_losses(*self.head.predict(fused), regions.labels, regions.deltas)
        return losses | self.guidance(levels, regions, level, of_critic, self.critic)

    def _fused_and_critics(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        made_up = self.make_up(pooled)
        of_critic = self.critic(made_up)
        return self.fuse(self.head.layers(made_up), of_critic), of_critic
