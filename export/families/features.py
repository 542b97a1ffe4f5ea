"""A snippet encoder whose graph gives features alone."""

from __future__ import annotations

from torch import Tensor, nn

from models.two_stream.network import TwoStream


class Features(nn.Module):
    """``rgb`` [N, 3, h, w], ``flow`` [N, 2k, h, w] → ``features`` [N, D]."""

    def __init__(self, network: TwoStream) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor, flow: Tensor) -> tuple[Tensor]:
        """See the class."""
        return (self.network.features(rgb, flow),)
