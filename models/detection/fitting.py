"""Bring a picture of any size to a detector's input size, and boxes back to the picture, exactly."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

Fit = Literal["letterbox", "letterbox-corner", "stretch"]


class Placed(NamedTuple):
    """Where a picture lies in the input: picture (x, y) is at (x·scale_x + left, y·scale_y + top), in pixels.

    Coordinates are continuous: a pixel is 1 wide, a box over the whole picture is 0 0 ``width`` ``height``. The two
    scales of a letterbox differ by what rounding to whole pixels makes of them.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int
    width: int
    height: int

    def to_input(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes of the picture ``[K, 4]`` x1 y1 x2 y2 → float32 ``[K, 4]`` of the input."""
        scales, offsets = self._scales_offsets()
        return (np.asarray(boxes, np.float64) * scales + offsets).astype(np.float32)

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes of the input ``[K, 4]`` x1 y1 x2 y2 → float32 ``[K, 4]`` of the picture, clipped to it."""
        scales, offsets = self._scales_offsets()
        exact = (np.asarray(boxes, np.float64) - offsets) / scales
        return np.clip(exact, 0, (self.width, self.height) * 2).astype(np.float32)

    def _scales_offsets(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array((self.scale_x, self.scale_y) * 2), np.array((self.left, self.top) * 2, np.float64)


def fit(image: np.ndarray, height: int, width: int, mode: Fit, pad_value: int) -> tuple[np.ndarray, Placed]:
    """Resize ``image``, uint8 ``[H, W, 3]``, to ``[height, width, 3]``: bilinearly, in the same order of colours.

    Args:
        height, width: of the input, in pixels.
        mode: ``letterbox``: the aspect kept, the picture in the middle; ``letterbox-corner``: the same, at the top left
            (YOLOX); ``stretch``: to the whole input.
        pad_value: 0..255, of the pixels that a letterbox leaves over.

    Returns:
        The input, and where the picture lies in it.
    """
    import cv2

    if mode not in get_args(Fit):
        raise ValueError(f"fit {mode!r} is not one of {', '.join(get_args(Fit))}")
    image_height, image_width = image.shape[:2]
    inner_height, inner_width = height, width
    if mode != "stretch":
        scale = min(height / image_height, width / image_width)
        inner_height = max(round(image_height * scale), 1)
        inner_width = max(round(image_width * scale), 1)
    centred = mode == "letterbox"
    left = (width - inner_width) // 2 if centred else 0
    top = (height - inner_height) // 2 if centred else 0
    placed = Placed(inner_width / image_width, inner_height / image_height, left, top, image_width, image_height)
    resized = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR)
    if (inner_height, inner_width) == (height, width):
        return resized, placed
    fitted = np.full((height, width, 3), pad_value, np.uint8)
    fitted[top : top + inner_height, left : left + inner_width] = resized
    return fitted, placed
