"""Single images, PNG and JPEG, decoded only where the file is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from formats import DamagedFileError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def read_image(path: str | Path) -> np.ndarray:
    """An image as BGR ``[H, W, 3]`` uint8; grey becomes three equal channels, transparency is left out.

    Raises:
        DamagedFileError: unreadable, truncated, damaged, or neither PNG nor JPEG.
    """
    import cv2

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.startswith(_SIGNATURES):
        raise DamagedFileError(f"{path}: {'neither a PNG nor a JPEG image' if data else 'the file is empty'}")
    try:
        # From memory: cv2.imread would fill what is missing of a truncated JPEG with grey, imdecode gives None.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DamagedFileError(f"{path}: cannot be decoded: {' '.join(str(error).split())}") from error
    if image is None:
        raise DamagedFileError(f"{path}: truncated or damaged: its {len(data)} bytes are not a whole image")
    return image
