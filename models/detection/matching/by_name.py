"""The matching strategies under the names that a recipe uses."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from errors import UserError, require_known
from models.detection.matching import Assignment, Objects
from models.detection.matching.classify_to_localize import SIGMA, ClassifyToLocalize
from models.detection.matching.fcos import centre_reference, fcos
from models.detection.matching.iou import iou, iou_reference
from models.detection.matching.localize_to_classify import LocalizeToClassify
from models.detection.matching.mutual_guidance import MutualGuidance
from models.detection.priors import Priors

Strategy = Callable[[Priors, Tensor, Tensor, Objects], Assignment]

STRATEGIES = ("iou", "localize_to_classify", "classify_to_localize", "mutual_guidance", "fcos")


def make_strategy(name: str, *, of_points: bool, sigma: float = SIGMA) -> Strategy:
    """The strategy of this name for priors that are anchors, or points.

    Guidance counts N_p and N_i as the detector is matched without it: by IoU_anchor, or as FCOS does. ``iou`` on points
    is the overlap with their squares.

    Args:
        name: of :data:`STRATEGIES`.
        of_points: whether the priors are points.
        sigma: σ of Classify to Localize.

    Raises:
        UserError: a name that is not known, or ``fcos`` for anchors.
    """
    require_known("matching", name, STRATEGIES)
    if name == "fcos" and not of_points:
        raise UserError("matching fcos is for detectors of points (fcos-…); for anchors take iou or mutual_guidance")
    rule = centre_reference if of_points else iou_reference
    return {
        "iou": iou,
        "localize_to_classify": LocalizeToClassify(rule),
        "classify_to_localize": ClassifyToLocalize(rule, sigma),
        "mutual_guidance": MutualGuidance(rule, sigma),
        "fcos": fcos,
    }[name]
