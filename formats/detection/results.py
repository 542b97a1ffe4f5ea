"""Detected boxes in COCO's result JSON: ``[{"image_id", "category_id", "bbox", "score"}, …]``.

Our own files also say ``file_name`` and ``category`` in words: numbers alone fit one set of annotations only. Other
readers of the format pass these over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from errors import UserError
from formats.json_files import read_file
from whole_files import write_whole


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One detected object.

    Attributes:
        image_id: number of the picture.
        category_id: number of the class.
        bbox: left, top, width, height in pixels, continuous coordinates.
        score: the higher, the surer.
        file_name: of the picture, with as many folders above it as it takes to tell it from others.
        category: name of the class.
    """

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float
    file_name: str | None = None
    category: str | None = None


def read_results(path: Path) -> list[Result]:
    """The results in a file, in its order.

    Raises:
        UserError: no such file, not such JSON, annotations instead of results, no results in it; the one that is wrong.
    """
    content = read_file(path)
    if content.lstrip()[:1] == b"{":
        raise UserError(f"{path}: is a JSON object, as annotations are; give a list of results as --predictions")
    try:
        results = msgspec.json.decode(content, type=list[Result])
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: is not COCO's result JSON: {error}; give [{{image_id, category_id, …}}]") from error
    if not results:
        raise UserError(f"{path}: has no results; there is nothing to score")
    for index, result in enumerate(results):
        if not all(map(math.isfinite, (*result.bbox, result.score))) or min(result.bbox[2:]) < 0:
            raise UserError(
                f"{path}: result {index}: bbox {list(result.bbox)}, score {result.score}; give left, top, width and "
                "height, which are not negative, and a finite score"
            )
    return results


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write the results, whole or not at all, one to a line.

    Raises:
        UserError: it cannot be written.
    """
    lines = b",\n".join(map(msgspec.json.encode, results))
    try:
        write_whole(path, b"[\n" + lines + b"\n]\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place") from error
