"""A network whose graph also says which class is the likeliest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Labelled(nn.Module):
    """A network that gives its ``logits`` [N, C, H, W] float32, their arg-max ``labels`` [N, H, W] uint8, or both."""

    def __init__(self, network: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.outputs = tuple(outputs)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """``image`` [N, 5, H, W] → those asked for, in that order."""
        logits = self.network(image)
        results = {"logits": logits}
        if "labels" in self.outputs:
            results["labels"] = logits.argmax(dim=1).to(torch.uint8)
        return tuple(results[name] for name in self.outputs)
