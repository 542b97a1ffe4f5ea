"""BC-GNN whose graph gives probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bcgnn.network import BCGNN


class Probabilities(nn.Module):
    """``features`` [N, D, l_w] → ``start`` [N, l_w], ``end`` [N, l_w], ``content`` [N, l_w, l_w]."""

    def __init__(self, network: BCGNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        return tuple(torch.sigmoid(logits) for logits in self.network(features))
