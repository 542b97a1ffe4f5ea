"""From a pyramid's levels to what is predicted at every prior: class logits and boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flatten_levels(maps: Sequence[Tensor], values: int) -> Tensor:
    """Join the levels in the order of :class:`models.detection.priors.Priors`.

    Args:
        maps: [N, B·values, H_l, W_l] of each level: B priors per cell.
        values: predicted at each prior.

    Returns:
        [N, A, values].
    """
    return torch.cat([x.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, values)) for x in maps], 1)


def set_prior_probability(layer: nn.Conv2d, probability: float) -> None:
    """Let a layer of logits begin by giving everything this probability (Lin et al., ICCV 2017, Sec. 4.1): else the
    loss of all the background would swamp the first steps."""
    nn.init.constant_(layer.bias, -math.log((1 - probability) / probability))
