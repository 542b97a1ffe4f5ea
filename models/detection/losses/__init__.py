"""What one-stage detectors are trained to make small.

All losses are called alike; the sum of the terms is the loss::

    terms = make("mutual_guidance")(network, network(images), objects, height, width)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from errors import UserError, hint, require_known
from models.detection.losses.assigned import AssignedLoss
from models.detection.losses.ltm import LTMLoss
from models.detection.losses.ltm_af import LTMAFLoss

Loss = Callable[..., dict[str, Tensor]]

_FOCAL = ("alpha", "gamma")
_BAGS = ("bag_size", "beta", "gamma")

_LOSSES: Mapping[str, tuple[Callable[..., Loss], tuple[str, ...]]] = {
    "iou": (partial(AssignedLoss, "iou"), _FOCAL),
    "localize_to_classify": (partial(AssignedLoss, "localize_to_classify"), _FOCAL),
    "classify_to_localize": (partial(AssignedLoss, "classify_to_localize"), (*_FOCAL, "sigma")),
    "mutual_guidance": (partial(AssignedLoss, "mutual_guidance"), (*_FOCAL, "sigma")),
    "fcos": (partial(AssignedLoss, "fcos"), _FOCAL),
    "ltm": (LTMLoss, _BAGS),
    "ltm_af": (LTMAFLoss, _BAGS),
}

MATCHINGS = tuple(_LOSSES)
"""What a recipe's ``matching`` may be."""


def make(name: str, **numbers: float) -> Loss:
    """The loss of this matching; see :class:`AssignedLoss`, :class:`LTMLoss` and :class:`LTMAFLoss` for its call.

    Args:
        name: of :data:`MATCHINGS`.
        numbers: of the loss, by name: those that this matching has.

    Raises:
        UserError: a name or a number that is not known, or a number out of its range.
    """
    require_known("matching", name, MATCHINGS)
    loss, known = _LOSSES[name]
    for number, value in numbers.items():
        if number not in known:
            raise UserError(f"matching {name} takes no {number!r}; {hint(number, known)}")
        _require_in_range(f"matching {name}: {number}", number, value)
    return loss(**numbers)


def _require_in_range(what: str, number: str, value: float) -> None:
    """Raise :class:`UserError` where a number makes no sense."""
    right, words = {
        "alpha": (0 <= value <= 1, "between 0 and 1"),
        "gamma": (value >= 0, "0 or more"),
        "sigma": (value > 1, "above 1"),
        "beta": (value > 0, "above 0"),
        "bag_size": (value >= 1 and value == int(value), "a whole number from 1 on"),
    }[number]
    if not right:
        raise UserError(f"{what} is {value:g}; it must be {words}")
