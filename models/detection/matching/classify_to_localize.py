"""Classify to Localize (Zhang et al., ACCV 2020, Sec. 3.2): how sure a prior is of a class decides what it locates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.detection.matching import Assignment, Objects
from models.detection.matching.ranking import Reference, Rule, best_of_each
from models.detection.priors import Priors

SIGMA = 2.0  # the paper's σ


def localisation_owners(reference: Reference, scores: Tensor, objects: Objects, sigma: float) -> Tensor:
    """[A] int64: the N_p priors of the highest amplified quality are positive."""
    amplified = amplify(reference.quality, scores[:, objects.labels].T, sigma)
    return best_of_each(amplified, reference.positives, torch.zeros_like(reference.positives))


def amplify(quality: Tensor, scores: Tensor, sigma: float) -> Tensor:
    """``quality^((σ − p) / σ)``, Eq. 1: unchanged where p is 0, nearer to 1 the surer the network is of the class.

    Args:
        quality: [K, A] in [0, 1]: IoU_anchor; of points the centre-ness (the paper's supplement, Sec. 2).
        scores: [K, A] in [0, 1]: p, of each object's own class.
        sigma: σ > 1; the smaller, the stronger.
    """
    return quality ** ((sigma - scores) / sigma)


@dataclass(frozen=True)
class ClassifyToLocalize:
    """Localisation by the scores, classification by the rule.

    Attributes:
        rule: what gives quality and N_p.
        sigma: σ of Eq. 1.
    """

    rule: Rule
    sigma: float = SIGMA

    def __call__(self, priors: Priors, scores: Tensor, boxes: Tensor, objects: Objects) -> Assignment:
        """See :mod:`models.detection.matching`."""
        reference = self.rule(priors, objects)
        return Assignment(reference.owners, localisation_owners(reference, scores, objects, self.sigma))
