"""Mean-max: the likelihood of a bag from those of its members (Zhang et al., *Learning to Match Anchors*, TPAMI 2021).

With the odds o_j = φ_j / (1 − φ_j) of B members the matching functions are

    M₊ = Σ φ/(1−φ) / Σ 1/(1−φ)   = Σo / (B + Σo)      Eq. 10
    M₋ = Σ φ/(1−φ) / Σ φ/(1−φ)²  = Σo / (Σo + Σo²)    Eq. 25

so ``−log M`` is a softplus of a difference of logarithms: nothing overflows where a φ is 1, and nothing is divided by 0
where all are 0. (Eq. 11 is printed without the φ in the denominator that its derivation, Eqs. 23 and 25, has.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def log_odds(logits: Tensor, log_confidence: Tensor, log_doubt: Tensor) -> Tensor:
    """``log φ/(1−φ)`` of ``φ = sigmoid(logit) · confidence``, exact where either factor is nearly 0 or 1.

    Args:
        logits: any shape.
        log_confidence: the same shape, at most 0.
        log_doubt: the logarithm of 1 − confidence, which :func:`safe_log` gives.
    """
    return log_confidence - torch.logaddexp(-logits, log_doubt)


def safe_log(values: Tensor) -> Tensor:
    """The logarithm of values from 0 on; that of 0 is about −87, without a gradient."""
    return values.clamp(min=torch.finfo(values.dtype).tiny).log()


def positive_bag_loss(odds: Tensor) -> Tensor:
    """``−log M₊``: small when one member at least is right. [K] of the log odds [K, B]; −inf is no member.

    Every bag has a member.
    """
    members = odds.isfinite().sum(dim=1, dtype=odds.dtype)
    return F.softplus(members.log() - odds.logsumexp(dim=1))


def negative_bag_loss(odds: Tensor) -> Tensor:
    """``−log M₋``: small when no member is falsely sure. [K] of the log odds [K, B]; −inf is no member.

    Every bag has a member.
    """
    return F.softplus((2 * odds).logsumexp(dim=1) - odds.logsumexp(dim=1))
