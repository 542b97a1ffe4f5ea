"""Single images, PNG and JPEG, decoded only where the file is whole."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

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


def read_header(path: str | Path) -> tuple[int, int, int]:
    """Width, height and channels of an image as its file states them; nothing is decoded.

    Channels: 1 grey, 2 grey with alpha, 3 colour (a palette too), 4 colour with alpha (of a JPEG: CMYK).

    Raises:
        DamagedFileError: unreadable, damaged, or neither PNG nor JPEG.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(26)
            if head.startswith(_SIGNATURES[0]) and len(head) == 26:
                width, height = struct.unpack(">II", head[16:24])
                return width, height, {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(head[25], 3)
            if head.startswith(_SIGNATURES[1]):
                file.seek(2)
                return _jpeg_header(file)
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (struct.error, ValueError) as error:
        raise DamagedFileError(f"{path}: truncated or damaged: its header is not whole") from error
    raise DamagedFileError(f"{path}: {'neither a PNG nor a JPEG image' if head else 'the file is empty'}")


def _jpeg_header(file: BinaryIO) -> tuple[int, int, int]:
    """From the first start-of-frame segment (ITU T.81, B.2.2); ``file`` is behind the start of the image."""
    while True:
        marker, kind, length = struct.unpack(">BBH", file.read(4))
        if marker != 0xFF or length < 2:
            raise ValueError("no segment where one must begin")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            _, height, width, channels = struct.unpack(">BHHB", file.read(6))
            return width, height, channels
        file.seek(length - 2, 1)
