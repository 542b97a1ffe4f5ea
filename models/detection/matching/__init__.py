"""Which prior is trained for which object: rules and strategies that a loss is given, never part of a network.

A strategy is called for one image, once per training step::

    strategy(priors, scores, boxes, objects) -> Assignment

    priors   of the network, A of them                       models.detection.priors.Priors
    scores   [A, C] what it now says of the classes, 0..1
    boxes    [A, 4] where it now sees the object, x1 y1 x2 y2 in input pixels
    objects  what is there

No gradient flows through a strategy. One file per strategy; ``by_name`` lists them.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

NEGATIVE = -1  # background: no object
IGNORED = -2  # neither object nor background: left out of the classification loss


class Objects(NamedTuple):
    """The objects of one image. K may be 0.

    Attributes:
        boxes: [K, 4] float32, x1 y1 x2 y2 in pixels of the network's input, continuous coordinates.
        labels: [K] int64, classes counted from 0.
    """

    boxes: Tensor
    labels: Tensor


class Assignment(NamedTuple):
    """What each prior is trained for.

    Attributes:
        classification: [A] int64, the index of the object whose class it is to name, ``NEGATIVE`` or ``IGNORED``.
        localisation: [A] int64, the index of the object whose box it is to find; below 0: none.
    """

    classification: Tensor
    localisation: Tensor
