"""From what a network gives to a class per point, and back. All who label scans do it by these.

Numba is imported by the vote alone, so a process that does not vote need not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.range_view.projection import Projection


def pixel_labels(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The class of each pixel, [H, W] uint8, from a graph's ``labels`` [1, H, W] or else ``logits`` [1, C, H, W]."""
    if "labels" in outputs:
        return outputs["labels"][0].astype(np.uint8, copy=False)
    return outputs["logits"][0].argmax(axis=0).astype(np.uint8)


def point_labels(
    label_image: np.ndarray,
    range_image: np.ndarray,
    point_pixel: np.ndarray,
    point_range: np.ndarray,
    *,
    knn: int = 5,
    search: int = 5,
    sigma: float = 1.0,
    cutoff_m: float = 1.0,
    classes: int = 20,
) -> np.ndarray:
    """The class of each point, [N] uint8: voted (:func:`models.range_view.knn.refine`), or its pixel's where knn is 0.

    A point that has no pixel gets 0. Arguments and errors: as ``refine`` has them.
    """
    if knn == 0:
        labels = label_image.ravel()[point_pixel].astype(np.uint8, copy=False)
        labels[point_pixel < 0] = 0
        return labels
    from models.range_view.knn import refine

    return refine(
        label_image,
        range_image,
        point_pixel,
        point_range,
        knn=knn,
        search=search,
        sigma=sigma,
        cutoff_m=cutoff_m,
        classes=classes,
    )


def label_image(projection: Projection, labels: np.ndarray) -> np.ndarray:
    """The label of the point that is in each pixel: [H, W] uint8, 0 where there is none."""
    image_range = projection.image[0]
    image = np.zeros(image_range.size, np.uint8)
    # The last point written stays: from the last to the first, so that of two at one range the earlier one does.
    shown = np.flatnonzero(projection.point_pixel >= 0)[::-1]
    shown = shown[projection.point_range[shown] == image_range.reshape(-1)[projection.point_pixel[shown]]]
    image[projection.point_pixel[shown]] = labels[shown]
    return image.reshape(image_range.shape)
