"""From what a network gives to a class per point. All who label scans do it by these: the node, evaluation, training.

Numba is imported by the vote alone, so a process that does not vote need not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


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
