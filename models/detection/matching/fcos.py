"""Matching of points by where they lie in an object: FCOS (Tian et al., ICCV 2019, Sec. 3.2) with centre sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from models.detection.boxes import area
from models.detection.matching import NEGATIVE, Assignment, Objects
from models.detection.matching.ranking import Reference
from models.detection.priors import Priors

CENTRE_RADIUS = 1.5  # strides: a point this near to the object's centre, in x and in y, is right for it
REACH = 8.0  # strides: the farthest side of its object that a point has to see; half of it is the nearest


def centre_reference(priors: Priors, objects: Objects) -> Reference:
    """Quality is the centre-ness of the points inside the box whose level is the object's; N_i = 0.

    A point's level is the object's where the farthest of the four sides is 4 to 8 strides away; the finest level takes
    nearer ones too, the coarsest farther ones. N_p points are within 1.5 strides of the centre. An object between the
    points of its level has none, as in FCOS: N_p = 0.
    """
    sides = side_distances(priors.points[None], objects.boxes[:, None])
    farthest, nearest = sides.amax(dim=2), sides.amin(dim=2)
    suits = (nearest > 0) & _is_level(farthest, priors.strides)
    quality = centreness(sides) * suits

    centres = 0.5 * (objects.boxes[:, None, :2] + objects.boxes[:, None, 2:])
    off_centre = (priors.points - centres).abs().amax(dim=2)
    inside = suits & (off_centre < CENTRE_RADIUS * priors.strides)
    positives = inside.sum(dim=1)
    return Reference(quality, positives, torch.zeros_like(positives), _smallest_object(inside, objects))


def fcos(priors: Priors, scores: Tensor, boxes: Tensor, objects: Objects) -> Assignment:
    """A point near the centre of several objects is the smallest one's. Nothing is ignored.

    ``scores`` and ``boxes`` are not looked at.
    """
    owners = centre_reference(priors, objects).owners
    return Assignment(owners, owners)


def side_distances(points: Tensor, boxes: Tensor) -> Tensor:
    """[..., 4] px: from points [..., 2] to the left, top, right and bottom side of boxes [..., 4]; negative outside."""
    return torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], dim=-1)


def centreness(sides: Tensor) -> Tensor:
    """[...] in [0, 1] of the distances [..., 4]: 1 in the centre, 0 on a side and outside (FCOS, Eq. 3)."""
    sides = sides.clamp(min=0)
    nearer = torch.minimum(sides[..., :2], sides[..., 2:])
    farther = torch.maximum(sides[..., :2], sides[..., 2:])
    return (nearer / farther.clamp(min=1e-6)).prod(dim=-1).sqrt()


def _is_level(farthest: Tensor, strides: Tensor) -> Tensor:
    """[K, A]: whether a point's level is the one for a side that far away, px."""
    low = torch.where(strides == strides.min(), 0.0, 0.5 * REACH * strides)
    high = torch.where(strides == strides.max(), torch.inf, REACH * strides)
    return (farthest >= low) & (farthest <= high)


def _smallest_object(inside: Tensor, objects: Objects) -> Tensor:
    """[A] int64 of [K, A]: the smallest object that a point is inside of, or ``NEGATIVE``."""
    if len(inside) == 0:
        return torch.full(inside.shape[1:], NEGATIVE, device=inside.device)
    sizes = torch.where(inside, area(objects.boxes)[:, None], torch.inf)
    smallest, owner = sizes.min(dim=0)
    return torch.where(smallest < torch.inf, owner, NEGATIVE)
