"""Optimal transport between two equally weighted sets of vectors, with an entropic regulariser.

Cuturi, *Sinkhorn distances*, NIPS 2013; the feature intertwiner's Algorithm 1 (ICLR 2019, Sec. 3.3). Everything is in
the logarithms of Algorithm 1's numbers, where no regulariser is so small that a kernel entry vanishes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_cost(a: Tensor, b: Tensor) -> Tensor:
    """One minus the cosine between every two vectors: [..., A, B] in [0, 2] of [..., A, k] and [..., B, k].

    A vector of zeros is at right angles to all.
    """
    return 1 - F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).transpose(-1, -2)


def sinkhorn(cost: Tensor, epsilon: float = 0.1, iterations: int = 10) -> Tensor:
    """The cost ⟨Q, P⟩ of the plan P that Sinkhorn's iterations reach.

    With ε → 0 and enough iterations (they grow as 1/ε) it is that of the best plan. Few iterations leave the columns'
    sums of P short of uniform; its rows' sums are exact.

    Args:
        cost: Q, [..., A, B]; both sets have the mass 1, equally shared.
        epsilon: the regulariser, in the unit of the cost.

    Returns:
        [...]. Gradients flow through all iterations.
    """
    log_kernel = -cost / epsilon
    log_row_mass, log_column_mass = (-math.log(size) for size in cost.shape[-2:])
    log_rows = torch.zeros_like(cost[..., 0])  # b⁽⁰⁾ = 1
    for _ in range(iterations):
        log_columns = log_column_mass - (log_kernel + log_rows[..., :, None]).logsumexp(dim=-2)
        log_rows = log_row_mass - (log_kernel + log_columns[..., None, :]).logsumexp(dim=-1)
    plan = (log_rows[..., :, None] + log_kernel + log_columns[..., None, :]).exp()
    return (plan * cost).sum(dim=(-2, -1))


def transport_cost(a: Tensor, b: Tensor, epsilon: float = 0.1, iterations: int = 10) -> Tensor:
    """The Sinkhorn divergence W_Q of Algorithm 1: :func:`sinkhorn` of the cosine cost.

    Args:
        a: [..., A, k], A vectors; in float32 whatever autocast says.
        b: [..., B, k].

    Returns:
        [...] in [0, 2]. Greater than 0 for equal sets too: the regulariser spreads the mass.
    """
    with torch.autocast(a.device.type, enabled=False):
        return sinkhorn(cosine_cost(a.float(), b.float()), epsilon, iterations)


def debiased_transport_cost(a: Tensor, b: Tensor, epsilon: float = 0.1, iterations: int = 10) -> Tensor:
    """2·W(a, b) - W(a, a) - W(b, b): 0 for equal sets.

    Appendix 6.3 calls it the biased version; what is subtracted is what takes the bias away (Genevay et al., *Learning
    generative models with Sinkhorn divergences*, AISTATS 2018, Eq. 2).
    """
    between = transport_cost(a, b, epsilon, iterations)
    return 2 * between - transport_cost(a, a, epsilon, iterations) - transport_cost(b, b, epsilon, iterations)
