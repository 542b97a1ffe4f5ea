"""Decoded pictures for training, shrunk to little more than the network needs, and kept as long as there is room."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from formats.detection.dataset import Picture
from formats.detection.pictures import read_picture
from training.detection.augmentation import Input

SPARE = 1.5
"""How much larger than the network's input a picture is kept: crops of it are still sharp."""


class PictureStore:
    """Reads pictures at the size that samples are cut from: the same pixels whether kept or read again.

    Args:
        size: of the network's input.
        keep_bytes: of decoded pictures, in memory; the first that are read stay.
        spare: how much larger than the network's input they are at most.
    """

    def __init__(self, size: Input, keep_bytes: int, spare: float = SPARE) -> None:
        self._size, self._room, self._spare = size, keep_bytes, spare
        self._kept: dict[Path, np.ndarray] = {}
        self._lock = Lock()

    def read(self, picture: Picture) -> np.ndarray:
        """The picture, uint8 [h, w, 3] BGR, not to be written to; h and w are at most those of its file.

        Raises:
            UserError: the file is damaged.
        """
        if (kept := self._kept.get(picture.file)) is not None:
            return kept
        image = read_picture(picture.file, picture.width, picture.height)
        scale = self._scale(picture)
        if scale < 1:
            size = round(picture.width * scale), round(picture.height * scale)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            if picture.file not in self._kept and image.nbytes <= self._room:
                self._kept[picture.file] = image
                self._room -= image.nbytes
        return image

    def _scale(self, picture: Picture) -> float:
        needed = self._size.height / picture.height, self._size.width / picture.width
        larger = max(needed) if self._size.fit == "stretch" else min(needed)
        return min(1.0, self._spare * larger)
