"""From how well every prior suits every object to one object per prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.detection.matching import IGNORED, NEGATIVE, Objects
from models.detection.priors import Priors


class Reference(NamedTuple):
    """What a rule that looks at shapes alone says of one image: K objects, A priors.

    Attributes:
        quality: [K, A] in [0, 1]: how well the prior suits the object; 0 where it is out of the question.
        positives: [K] int64, N_p: how many priors are right for the object.
        ignored: [K] int64, N_i: how many more are too good to be background.
        owners: [A] int64, the object of each prior by this rule alone, ``NEGATIVE`` or ``IGNORED``.
    """

    quality: Tensor
    positives: Tensor
    ignored: Tensor
    owners: Tensor


Rule = Callable[[Priors, Objects], Reference]


def best_of_each(quality: Tensor, positives: Tensor, ignored: Tensor) -> Tensor:
    """Each object takes the priors that suit it best; the next best are ignored (Mutual Guidance, Sec. 3.1).

    A prior that several objects take goes to the one that it suits best. Where an object loses all of its priors so, it
    gets the best of those that nobody took: none is left without as long as any suits it.

    Args:
        quality: [K, A], at least 0; priors of quality 0 are never taken.
        positives: [K] int64, how many priors each object takes at most.
        ignored: [K] int64, how many more are ignored, unless another object takes them.

    Returns:
        [A] int64: the object's index, ``NEGATIVE`` or ``IGNORED``.
    """
    count, priors = quality.shape
    owners = torch.full((priors,), NEGATIVE, device=quality.device)
    if count == 0:
        return owners
    most = min(int((positives + ignored).max()), priors)
    best, index = quality.topk(most, dim=1)
    rank = torch.arange(most, device=quality.device)
    near = (best > 0) & (rank < (positives + ignored)[:, None])
    owners[index[near]] = IGNORED

    claims = torch.zeros_like(quality).scatter_(1, index, best * (rank < positives[:, None]))
    claim, claimant = claims.max(dim=0)
    owners = torch.where(claim > 0, claimant, owners)
    return _without_losers(owners, quality, claims.any(dim=1))


def _without_losers(owners: Tensor, quality: Tensor, entitled: Tensor) -> Tensor:
    """Objects that lost every prior to others get one each, in their order; there are few, if any."""
    entitled[owners[owners >= 0]] = False
    for loser in entitled.nonzero().flatten().tolist():
        free = quality[loser].masked_fill(owners >= 0, 0)
        prior = free.argmax()
        if free[prior] > 0:
            owners[prior] = loser
    return owners
