"""Single images, PNG and JPEG, decoded only where the file is whole.

OpenCV fills what is missing of a truncated file with grey or black and says nothing, so the structure of the file is
checked first: PNG chunks with their CRC up to IEND (ISO/IEC 15948, 5.3), JPEG segments up to EOI (ITU-T T.81, annex B).
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from formats import DamagedFileError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0..7, SOI: markers that stand alone


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
    if problem := damage(data):
        raise DamagedFileError(f"{path}: {problem}")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DamagedFileError(f"{path}: cannot be decoded: {' '.join(str(error).split())}") from error
    if image is None:
        raise DamagedFileError(f"{path}: cannot be decoded; the file is damaged")
    return image


def damage(data: bytes) -> str | None:
    """What is wrong with the bytes of a PNG or JPEG file, or None where its structure is whole."""
    if not data:
        return "the file is empty"
    if data.startswith(_PNG_SIGNATURE):
        return _png_damage(data)
    if data.startswith(_JPEG_START):
        return _jpeg_damage(data)
    return "neither a PNG nor a JPEG image"


def _png_damage(data: bytes) -> str | None:
    view, at = memoryview(data), len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return f"PNG chunk at byte {at} is damaged (wrong CRC)"
        if view[at + 4 : at + 8] == b"IEND":
            return None
        at = end
    return f"truncated PNG: {len(data)} bytes, no end of image"


def _jpeg_damage(data: bytes) -> str | None:
    # A marker is FF and a byte that is neither 00 (a stuffed FF of the coded data) nor FF (fill).
    at = data.find(b"\xff", len(_JPEG_START))
    while 0 <= at < len(data) - 1:
        marker = data[at + 1]
        if marker == 0xD9:
            return None
        if marker in (0x00, 0xFF) or marker in _NO_LENGTH:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        at = data.find(b"\xff", at)
    return f"truncated JPEG: {len(data)} bytes, no end of image"
