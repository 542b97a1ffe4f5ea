"""What every detection data set is in memory, and which boxes it may have.

Boxes are ``x1 y1 x2 y2`` in pixels with continuous coordinates: the left edge of the leftmost pixel is 0, the right
edge of the rightmost one is the width, so a box over the whole picture is ``0 0 width height``. Formats that count the
last pixel in (VOC, KITTI) get 1 added to ``x2`` and ``y2`` by their readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from errors import UserError

BadBoxes = Literal["refuse", "leave-out"]
"""What to do about a box that has no area or lies outside its picture: refuse the data, or leave it out and say so."""

_ROUNDING_PX = 1.0
"""By how much a box may reach out of its picture, by rounding or by counting the last pixel in. It is clipped."""


class Picture(NamedTuple):
    """One picture with its K annotated objects. It is not decoded; ``width`` and ``height`` are those of the file.

    ``boxes`` float32 [K, 4], pixels. ``labels`` int64 [K], places in the set's ``class_names``. ``ignored`` bool [K]:
    neither asked for nor held against a detector (crowd, difficult, too small, hidden), and not trained on; where
    nothing of any class counts (KITTI's DontCare) there is one of each class. ``areas`` float32 [K], pixels²: of the
    mask where the set has masks, else of the box. ``image_id``: the format's own, or else its place in the set.
    """

    file: Path
    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    areas: np.ndarray
    image_id: int


class DetectionSet(NamedTuple):
    """``category_ids``: the format's own number of each class, as result files have it (COCO's have gaps), or 1, 2, ….
    ``notes``: what the user should know of the data, a line each."""

    pictures: tuple[Picture, ...]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    notes: tuple[str, ...] = ()


class Annotation(NamedTuple):
    """One object as a reader found it. ``box``: as :class:`Picture` has it, not yet checked. ``area``: None for the
    box's. ``where``: the place in the user's file, which begins the message about it."""

    box: tuple[float, float, float, float]
    label: int
    where: str
    ignored: bool = False
    area: float | None = None


def make_picture(
    file: Path, size: tuple[int, int], annotations: Iterable[Annotation], image_id: int, left_out: list[str] | None
) -> Picture:
    """The picture with its boxes checked, and clipped where they reach out by rounding only.

    Args:
        size: width, height.
        left_out: gets what is wrong with each box that is left out for it; None to refuse such a box instead.

    Raises:
        UserError: a box has no area, is not finite or lies outside the picture, and ``left_out`` is None.
    """
    width, height = size
    kept: list[Annotation] = []
    for annotation in annotations:
        wrong = _wrong(annotation, width, height)
        if not wrong:
            kept.append(annotation)
        elif left_out is None:
            raise UserError(f"{annotation.where}: {wrong}; correct it, or leave such boxes out (bad_boxes: leave-out)")
        else:
            left_out.append(f"{annotation.where}: {wrong}")
    boxes = np.array([a.box for a in kept], np.float32).reshape(-1, 4).clip(0, [width, height, width, height])
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = [side[0] * side[1] if a.area is None else a.area for a, side in zip(kept, sides, strict=True)]
    return Picture(
        file,
        width,
        height,
        boxes.astype(np.float32),
        np.array([a.label for a in kept], np.int64),
        np.array([a.ignored for a in kept], bool),
        np.array(areas, np.float32),
        image_id,
    )


def _wrong(annotation: Annotation, width: int, height: int) -> str:
    """What is wrong with a box, "" where nothing is. A region that is ignored may reach out of the picture."""
    x1, y1, x2, y2 = annotation.box
    if not np.isfinite(annotation.box).all():
        return f"box {_numbers(annotation.box)} is not finite"
    if x2 <= x1 or y2 <= y1:
        return f"box {_numbers(annotation.box)} has no area"
    inside_x, inside_y = min(x2, width) - max(x1, 0), min(y2, height) - max(y1, 0)
    reaches_out = max(-x1, -y1, x2 - width, y2 - height) > _ROUNDING_PX
    if inside_x <= 0 or inside_y <= 0 or (reaches_out and not annotation.ignored):
        return f"box {_numbers(annotation.box)} lies outside its picture of {width} × {height} px"
    return ""


def _numbers(box: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"


def bad_box_notes(left_out: Sequence[str]) -> tuple[str, ...]:
    """What the user is told of boxes that were left out."""
    return (f"left out {len(left_out)} boxes, the first: {left_out[0]}",) if left_out else ()


def joined(sets: Sequence[DetectionSet]) -> DetectionSet:
    """Several sets of the same classes as one. Raises UserError where their classes differ."""
    first = sets[0]
    for other in sets[1:]:
        if other.class_names != first.class_names:
            different = sorted(set(other.class_names) ^ set(first.class_names)) or ["their order"]
            raise UserError(
                f"data sets with different classes cannot be joined ({', '.join(different[:8])}); "
                "give a table of classes that names them all (data.classes)"
            )
    pictures = [picture for each in sets for picture in each.pictures]
    if len({picture.image_id for picture in pictures}) < len(pictures):
        pictures = [picture._replace(image_id=number) for number, picture in enumerate(pictures)]
    notes = tuple(dict.fromkeys(note for each in sets for note in each.notes))
    return first._replace(pictures=tuple(pictures), notes=notes)
