"""Actionness: how likely each location lies in an action, from the features that BC-GNN takes."""

from __future__ import annotations

from torch import Tensor, nn


class Actionness(nn.Module):
    """Trained by :func:`models.bcgnn.loss.weighted_log_loss` on whether a location lies in any action.

    Args:
        feature_dim: channels of the snippet features.
        base_dim: of the two convolutions.
    """

    def __init__(self, feature_dim: int, *, base_dim: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv1d(feature_dim, base_dim, 3, padding=1), nn.ReLU()),
            *(nn.Conv1d(base_dim, base_dim, 3, padding=1), nn.ReLU()),
            nn.Conv1d(base_dim, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """``features`` [B, D_i, l_w] → logits [B, l_w]."""
        return self.layers(features)[:, 0]
