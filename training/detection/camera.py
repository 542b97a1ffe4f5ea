"""What a camera does to a picture and a simulation does not: tone curve, blur, noise, compression.

Each is drawn anew for each sample, wider than any one camera has it, so that a network learns to look past all of them
(domain randomisation: Tobin et al., IROS 2017; of camera effects: Carlson et al., ECCV 2018 workshops).
"""

from __future__ import annotations

import cv2
import numpy as np

_GAMMA = (0.6, 1.6)
_BLUR_SIGMA_PX = (0.3, 1.2)
_NOISE_SIGMA = (1.0, 12.0)  # of values 0..255
_JPEG_QUALITY = (30, 95)
_CHANGED_SHARE = 0.5


def seen_by_a_camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``image`` uint8 [H, W, 3] BGR, with each of the four for half of the samples, in the order of a camera."""
    curved, blurred, noisy, compressed = rng.random(4) < _CHANGED_SHARE
    gamma = np.exp(rng.uniform(*np.log(_GAMMA)))
    blur_px, noise, quality = rng.uniform(*_BLUR_SIGMA_PX), rng.uniform(*_NOISE_SIGMA), rng.integers(*_JPEG_QUALITY)
    if blurred:
        image = cv2.GaussianBlur(image, (0, 0), blur_px)
    if noisy:
        grain = rng.standard_normal(image.shape, np.float32) * np.float32(noise)
        image = np.rint(image + grain).clip(0, 255).astype(np.uint8)
    if curved:
        image = cv2.LUT(image, np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
    if compressed:
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return image
