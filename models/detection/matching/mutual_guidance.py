"""Mutual Guidance (Zhang et al., *Localize to Classify and Classify to Localize*, ACCV 2020): both at once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from models.detection.matching import Assignment, Objects
from models.detection.matching.classify_to_localize import SIGMA, localisation_owners
from models.detection.matching.localize_to_classify import classification_owners
from models.detection.matching.ranking import Rule
from models.detection.priors import Priors


@dataclass(frozen=True)
class MutualGuidance:
    """Classification by the regressed boxes, localisation by the scores. The two may contradict each other: that is
    what teaches a prior that is good at one task the other, or else to keep quiet (Sec. 3.3).

    Attributes:
        rule: what gives quality, N_p and N_i.
        sigma: σ of Eq. 1.
    """

    rule: Rule
    sigma: float = SIGMA

    def __call__(self, priors: Priors, scores: Tensor, boxes: Tensor, objects: Objects) -> Assignment:
        """See :mod:`models.detection.matching`."""
        reference = self.rule(priors, objects)
        return Assignment(
            classification_owners(reference, boxes, objects),
            localisation_owners(reference, scores, objects, self.sigma),
        )
