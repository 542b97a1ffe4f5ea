"""KITTI's object benchmark: ``image_2/000000.png`` with ``label_2/000000.txt`` (devkit_object/readme.txt).

A line of 15 fields is an object: type, truncated (0..1), occluded (0..3), alpha, left top right bottom (0-based, px),
and what it is in space. The last column and row are counted in: 1 is added to right and bottom, as with the tracking
labels. (The benchmark's own overlap adds none: its boxes are one pixel smaller than the pixels that they name.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errors import UserError
from formats.detection.dataset import Annotation, BadBoxes, DetectionSet, bad_box_notes, make_picture
from formats.detection.pictures import PictureFiles
from formats.detection.tracked_drives import DONT_CARE, KITTI_KINDS, Limits, hidden_share, unseen_share
from formats.frames import list_files
from formats.images import SUFFIXES

_FIELDS = 15


def read_kitti_object(
    folder: Path, names: Sequence[str] | None, limits: Limits, bad_boxes: BadBoxes = "refuse"
) -> DetectionSet:
    """The pictures of a folder such as ``training`` and their objects; classes are KITTI's types.

    Args:
        names: of the pictures (``000008``), in their order; None for all that have labels.
        limits: which objects are asked for.

    Raises:
        UserError: no labels, a label file or a picture is missing, a damaged line, an unknown type, a bad box.
    """
    labels = {file.stem: file for file in list_files(folder / "label_2", {".txt"})}
    pictures = {file.stem: file for file in list_files(folder / "image_2", SUFFIXES)}
    wanted = list(labels) if names is None else list(names)
    if not wanted:
        raise UserError(f"{folder / 'label_2'}: no *.txt files; KITTI's labels are there, one file per picture")
    files, found = PictureFiles(), []
    left_out: list[str] | None = [] if bad_boxes == "leave-out" else None
    for number, name in enumerate(wanted):
        if name not in labels:
            raise UserError(f"{folder / 'label_2' / name}.txt: no such file; complete the labels, or the list of names")
        file = pictures.get(name, folder / "image_2" / f"{name}.png")
        size = files.size(file, str(labels[name]))
        image_id = int(name) if name.isdigit() else number
        found.append(make_picture(file, size, _annotations(labels[name], limits), image_id, left_out))
    numbers = tuple(range(1, len(KITTI_KINDS) + 1))
    return DetectionSet(tuple(found), KITTI_KINDS, numbers, (*files.notes, *bad_box_notes(left_out or ())))


def _annotations(file: Path, limits: Limits) -> list[Annotation]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as KITTI object labels: {error}") from error
    return [
        annotation
        for number, line in enumerate(lines, 1)
        if line.strip()
        for annotation in _parsed(line.split(), f"{file}, line {number}", limits)
    ]


def _parsed(fields: Sequence[str], where: str, limits: Limits) -> list[Annotation]:
    """One object, or an ignored region of each class."""
    if len(fields) not in (_FIELDS, _FIELDS + 1):
        raise UserError(
            f"{where}: {len(fields)} fields instead of {_FIELDS}; these are no KITTI object labels "
            "(type truncated occluded alpha left top right bottom …)"
        )
    try:
        truncated, occluded = float(fields[1]), int(float(fields[2]))
        left, top, right, bottom = (float(field) for field in fields[4:8])
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: {error}; the file is damaged") from error
    box = left, top, right + 1, bottom + 1
    if fields[0] == DONT_CARE:
        return [Annotation(box, label, where, ignored=True) for label in range(len(KITTI_KINDS))]
    if fields[0] not in KITTI_KINDS:
        raise UserError(f"{where}: type {fields[0]!r} is not KITTI's; it must be one of {', '.join(KITTI_KINDS)}")
    unseen = unseen_share(hidden_share(occluded), max(truncated, 0))
    ignored = unseen > limits.most_hidden or bottom - top + 1 < limits.least_height_px
    return [Annotation(box, KITTI_KINDS.index(fields[0]), where, ignored)]
