"""The files of a data set's pictures: all there, of the stated size, and what of them is not plain colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from errors import UserError
from formats.images import read_header, read_image

_OTHERS = {1: "grey: its value in all three channels", 2: "grey with alpha: alpha is left out", 4: "alpha is left out"}


class PictureFiles:
    """Looks into the header of each picture; ``notes`` then says what is read otherwise than it is in the file."""

    def __init__(self) -> None:
        self._others: dict[int, list[Path]] = {}

    def size(self, file: Path, where: str, stated: tuple[int, int] | None = None) -> tuple[int, int]:
        """Width and height of a picture.

        Args:
            where: the place in the user's file that names it.
            stated: what the annotations say of its width and height.

        Raises:
            UserError: no such picture, damaged, or of another size than stated.
        """
        if not file.is_file():
            raise UserError(f"{where}: its picture {file} is not there; complete the pictures, or remove the entry")
        width, height, channels = read_header(file)
        if channels in _OTHERS:
            self._others.setdefault(channels, []).append(file)
        if stated is not None and stated != (width, height):
            raise UserError(
                f"{where}: states {stated[0]} × {stated[1]} px, but {file} has {width} × {height}; "
                "the boxes are not of this picture"
            )
        return width, height

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each kind of picture that is not plain colour."""
        return tuple(
            f"{len(files)} pictures are not plain colour ({_OTHERS[channels]}), the first: {files[0]}"
            for channels, files in sorted(self._others.items())
        )


def read_picture(file: Path, width: int, height: int) -> np.ndarray:
    """A picture as :func:`formats.images.read_image` gives it, of the size that its annotations have.

    Raises:
        UserError: damaged, or turned by its EXIF orientation, so that boxes do not fit.
    """
    image = read_image(file)
    if image.shape[:2] != (height, width):
        raise UserError(
            f"{file}: {image.shape[1]} × {image.shape[0]} px once turned as its EXIF orientation says, "
            f"{width} × {height} without; its boxes fit the latter: save it without EXIF"
        )
    return image
