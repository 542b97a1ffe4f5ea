"""Which part of a picture a sample shows: SSD's expansion and random crop (Liu et al., ECCV 2016, Secs. 2.2 and 3.6),
or one that makes an object large, as PyramidBox' data-anchor-sampling does (Tang et al., ECCV 2018, Sec. 3.3).

A window is ``x1 y1 x2 y2`` in pixels of the picture; where it is larger than the picture, the rest is filled. So both
cost one resize of one cut, and objects are found in it by plain arithmetic.
"""

from __future__ import annotations

import cv2
import numpy as np

_LEAST_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
_TRIES = 50
_EXPANDED_SHARE = 0.5
_LARGEST_SHARE = 0.9
"""Of the window's height: what :func:`enlarging` makes of an object at most."""


def expanded(width: int, height: int, largest: float, rng: np.random.Generator) -> np.ndarray:
    """For half of the samples a window of 1 to ``largest`` times the picture's sides, which lies anywhere in it."""
    if rng.random() >= _EXPANDED_SHARE:
        return np.array([0, 0, width, height], np.float64)
    ratio = rng.uniform(1, largest)
    left, top = rng.uniform(0, ratio - 1, 2) * (width, height)
    return np.array([-left, -top, ratio * width - left, ratio * height - top])


def cropped(
    window: np.ndarray, boxes: np.ndarray, smallest: float, aspect: float, rng: np.random.Generator
) -> np.ndarray:
    """The window, or a part of it that some object overlaps by an IoU of at least 0.1 … 0.9, or by any.

    Args:
        window: [4].
        boxes: [K, 4], the objects; without any the window stays as it is.
        smallest: least share of the window's sides.
        aspect: by how much the part's aspect ratio may differ from the window's: 2 for half to double.
    """
    choice = rng.integers(len(_LEAST_IOUS) + 2)  # the whole, each IoU, any part
    if choice == 0 or not len(boxes):
        return window
    least = _LEAST_IOUS[choice - 1] if choice <= len(_LEAST_IOUS) else 0.0
    sides = window[2:] - window[:2]
    for _ in range(_TRIES):
        shares = rng.uniform(smallest, 1, 2)
        if not 1 / aspect <= shares[0] / shares[1] <= aspect:
            continue
        corner = window[:2] + rng.uniform(0, 1, 2) * (1 - shares) * sides
        part = np.concatenate([corner, corner + shares * sides])
        if centred_in(boxes, part).any() and _ious(boxes, part).max() >= least:
            return part
    return window


def enlarging(width: int, height: int, boxes: np.ndarray, least: float, rng: np.random.Generator) -> np.ndarray:
    """The window of the picture's aspect ratio in which some object is of a height between its own and 0.9 of the
    window's, any ratio as likely as its double. It lies anywhere in the picture where it has the object's centre.

    On a street most objects are far away: an IoU with them keeps no crop that is much smaller than the picture.

    Args:
        boxes: [K, 4], the objects, in the picture by their centres; K ≥ 1.
        least: share of the picture's sides that the window has at least: of a smaller one only a blur could be made.
    """
    x1, y1, x2, y2 = boxes[rng.integers(len(boxes))].astype(np.float64)
    smallest = min(max((y2 - y1) / height / _LARGEST_SHARE, least), 1.0)
    size = np.array([width, height]) * np.exp(rng.uniform(np.log(smallest), 0))
    centre = np.array([x1 + x2, y1 + y2]) / 2
    corner = rng.uniform(np.maximum(centre - size, 0), np.minimum(centre, (width, height) - size))
    return np.concatenate([corner, corner + size])


def centred_in(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """[K] bool: whose centre lies in the window. These are the sample's objects."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres > window[:2]) & (centres < window[2:])).all(axis=1)


def seen_in(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """[K] bool: of which at least a quarter lies in the window. A window that enlarges cuts what is near, and near
    objects must not become background: on a street they are cut by the picture too."""
    shared, areas = _shared(boxes, window)
    return shared >= 0.25 * areas


def _shared(boxes: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each box the area that lies in the window, and all of it: [K] both."""
    shared = np.clip(np.minimum(boxes[:, 2:], window[2:]) - np.maximum(boxes[:, :2], window[:2]), 0, None).prod(axis=1)
    return shared, (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def _ious(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    shared, areas = _shared(boxes, window)
    return shared / (areas + (window[2:] - window[:2]).prod() - shared)


def cut(image: np.ndarray, window: np.ndarray, fill: int) -> tuple[np.ndarray, np.ndarray]:
    """The window's pixels, and the window as it really is: at whole pixels.

    Returns:
        uint8 [h, w, 3], ``fill`` where the window is outside the picture; [4] int64.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = whole = np.rint(window).astype(np.int64)
    x2, y2 = whole[2:] = max(x2, x1 + 1), max(y2, y1 + 1)
    inside = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    borders = [max(side, 0) for side in (-y1, y2 - height, -x1, x2 - width)]
    if any(borders):
        inside = cv2.copyMakeBorder(inside, *borders, cv2.BORDER_CONSTANT, value=(fill,) * 3)
    return inside, whole
