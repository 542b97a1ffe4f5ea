"""Range images as the network takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

HDL64_MEANS = (12.12, 10.88, 0.23, -1.04, 0.21)
HDL64_STDS = (12.32, 11.47, 6.91, 0.86, 0.16)
"""Range, x, y, z (metres) and remission of SemanticKITTI's HDL-64 range images, as SqueezeSegV3's release has them."""


def normalize(
    image: np.ndarray, means: Sequence[float] = HDL64_MEANS, stds: Sequence[float] = HDL64_STDS
) -> np.ndarray:
    """``(image − mean) / std`` per channel, and 0 where there is no point.

    ``image`` [5, H, W] float32 as :func:`models.range_view.projection.project` makes it → [5, H, W] float32.

    Raises:
        ValueError: not one mean and one std per channel.
    """
    if not len(means) == len(stds) == len(image):
        raise ValueError(f"{len(image)} channels, {len(means)} means, {len(stds)} stds: one of each per channel")
    normalized = image - np.asarray(means, np.float32)[:, None, None]
    normalized /= np.asarray(stds, np.float32)[:, None, None]
    normalized *= image[0] > 0
    return normalized
