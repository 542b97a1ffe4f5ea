"""Localize to Classify (Zhang et al., ACCV 2020, Sec. 3.1): where a prior sees the object decides what it names."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from models.detection.boxes import iou_matrix
from models.detection.matching import Assignment, Objects
from models.detection.matching.ranking import Reference, Rule, best_of_each
from models.detection.priors import Priors


def classification_owners(reference: Reference, boxes: Tensor, objects: Objects) -> Tensor:
    """[A] int64: the N_p priors whose regressed boxes overlap an object most are positive, the next N_i ignored.

    Only boxes that overlap it at all count.
    """
    return best_of_each(iou_matrix(objects.boxes, boxes), reference.positives, reference.ignored)


@dataclass(frozen=True)
class LocalizeToClassify:
    """Classification by the regressed boxes, localisation by the rule.

    Attributes:
        rule: what N_p and N_i are counted by.
    """

    rule: Rule

    def __call__(self, priors: Priors, scores: Tensor, boxes: Tensor, objects: Objects) -> Assignment:
        """See :mod:`models.detection.matching`."""
        reference = self.rule(priors, objects)
        return Assignment(classification_owners(reference, boxes, objects), reference.owners)
