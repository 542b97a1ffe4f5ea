"""From a picture with boxes to a sample of the network's size, changed by chance: SSD's augmentation in NumPy.

Geometry first, light last: each pixel is changed once it is one of the network's, which costs a fraction and, but for
the filled borders, comes to the same.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from models.detection.fitting import Fit, fit
from models.detection.inputs import PAD_VALUE
from training.detection.camera import seen_by_a_camera
from training.detection.photometric import distorted
from training.detection.windows import centred_in, cropped, cut, enlarging, expanded, seen_in
from training.recipe import Settings, Share

_LEAST_PX = 2.0
"""Sides of objects in the network's input; what became smaller is not trained on."""
_MOST_MAGNIFIED = 2.0
"""Pixels of the input that a pixel of the picture becomes where it is enlarged."""


class Augmentation(Settings, kw_only=True):
    """The defaults are SSD's. ``expand``: how many times larger than the picture a sample may be, 1 for never.
    ``crop``: least share of the sides that a crop has, 1 for no crops. ``crop_aspect``: by how much a crop's aspect
    ratio may differ. ``enlarge``: share of samples that instead are a part of the picture in which some object is
    larger. ``mirror``: share of samples with left and right exchanged. ``photometric``: light and colours.
    ``camera``: share of samples with tone curve, blur, noise and compression of some camera, for simulated pictures."""

    expand: Annotated[float, msgspec.Meta(ge=1)] = 4.0
    crop: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.3
    crop_aspect: Annotated[float, msgspec.Meta(ge=1)] = 2.0
    enlarge: Share = 0.0
    mirror: Share = 0.5
    photometric: bool = True
    camera: Share = 0.0


class Input(NamedTuple):
    """What the network takes: its size in pixels, and how a picture becomes of that size."""

    height: int
    width: int
    fit: Fit


def augmented(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, size: Input, how: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sample of a picture.

    Args:
        image: uint8 [H, W, 3] BGR.
        boxes: float32 [K, 4], pixels of it.
        labels: int64 [K].

    Returns:
        The input, uint8 [height, width, 3] BGR; boxes float32 [J, 4] in its pixels, and labels [J], J ≤ K.
    """
    height, width = image.shape[:2]
    window, is_object = np.array([0, 0, width, height], np.float64), centred_in
    if how.enlarge and len(boxes) and rng.random() < how.enlarge:
        least = max(size.height / height, size.width / width) / _MOST_MAGNIFIED
        window, is_object = enlarging(width, height, boxes, least, rng), seen_in
    else:
        if how.expand > 1:
            window = expanded(width, height, how.expand, rng)
        if how.crop < 1:
            window = cropped(window, boxes, how.crop, how.crop_aspect, rng)
    part, window = cut(image, window, PAD_VALUE)
    kept = is_object(boxes, window)
    clipped = boxes[kept].clip(np.tile(window[:2], 2), np.tile(window[2:], 2)) - np.tile(window[:2], 2)
    fitted, placed = fit(part, size.height, size.width, size.fit, PAD_VALUE)
    found, labels = placed.to_input(clipped), labels[kept]
    large = (found[:, 2:] - found[:, :2] >= _LEAST_PX).all(axis=1)
    found, labels = found[large], labels[large]
    if rng.random() < how.mirror:
        fitted, found = mirrored(fitted, found)
    if how.photometric:
        fitted = distorted(fitted, rng)
    if how.camera and rng.random() < how.camera:
        fitted = seen_by_a_camera(fitted, rng)
    return fitted, found, labels


def mirrored(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged in the picture and in its boxes [K, 4]."""
    width = image.shape[1]
    turned = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    return np.ascontiguousarray(image[:, ::-1]), turned
