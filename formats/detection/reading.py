"""Read any detection data set: find out which format a path has, and which named parts there are in it.

=================  ============================================================  ==========================
format             path                                                          parts
=================  ============================================================  ==========================
``coco``           ``instances_val2017.json``, or a folder of such               each file: ``val2017``
``voc``            ``VOC2007``                                                   each list: ``trainval``
``kitti-object``   ``training`` with ``image_2/`` and ``label_2/``               each list in ``ImageSets/``
``drives``         a drive with ``label_02/0000.txt``, simulated or not, KITTI's  each drive or sequence
                   tracking benchmark, or a folder with such up to two down
=================  ============================================================  ==========================

Where there are no lists, the whole is one part, named like its folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from errors import UserError
from formats.detection.coco import from_values, read_coco
from formats.detection.dataset import BadBoxes, DetectionSet, joined
from formats.detection.kitti_object import read_kitti_object
from formats.detection.tracked_drives import Limits, TrackedSequence, sequences_as_coco, sequences_of
from formats.detection.voc import image_sets, read_voc
from formats.frames import list_files

Format = Literal["auto", "coco", "voc", "kitti-object", "drives"]
ASKED_FOR = Limits(most_hidden=0.8, least_height_px=16)
"""What a detector is asked for in drives and KITTI: 16 px are a car at 68 m in KITTI's pictures."""
_DEPTH = 2
"""How far below a folder drives are looked for."""


class Part(NamedTuple):
    """A named part of a data set, not yet read."""

    name: str
    read: Callable[[], DetectionSet]


def read(
    path: Path, format: Format = "auto", *, limits: Limits = ASKED_FOR, bad_boxes: BadBoxes = "refuse"
) -> DetectionSet:
    """All pictures of a data set, in the form of :mod:`formats.detection.dataset`.

    Args:
        limits: which objects of drives and KITTI are asked for; the others are ignored.
        bad_boxes: what to do about boxes without area or outside their picture.

    Raises:
        UserError: no such path, no such format there, or what is in it is wrong; with the place.
    """
    kind = _format_of(path, format)
    if kind == "voc":
        return read_voc(path, None, bad_boxes)
    if kind == "kitti-object":
        return read_kitti_object(path, None, limits, bad_boxes)
    if kind == "drives":
        return _read_drives(_sequences(path), path, limits, bad_boxes)
    return joined([part.read() for part in find_parts(path, kind, limits=limits, bad_boxes=bad_boxes)])


def find_parts(
    path: Path, format: Format = "auto", *, limits: Limits = ASKED_FOR, bad_boxes: BadBoxes = "refuse"
) -> list[Part]:
    """The named parts of a data set. For the arguments and errors see :func:`read`."""
    match _format_of(path, format):
        case "coco":
            files = [path] if path.is_file() else _coco_files(path)
            return [Part(f.stem.partition("_")[2] or f.stem, lambda f=f: read_coco(f, bad_boxes)) for f in files]
        case "voc":
            lists = image_sets(path) if (path / "ImageSets" / "Main").is_dir() else {_name(path): None}
            return [Part(name, lambda n=n: read_voc(path, n, bad_boxes)) for name, n in lists.items()]
        case "kitti-object":
            return [
                Part(name, lambda n=n: read_kitti_object(path, n, limits, bad_boxes))
                for name, n in _kitti_lists(path).items()
            ]
        case _:
            return [
                Part(sequence.name, lambda s=sequence: _read_drives([s], path, limits, bad_boxes))
                for sequence in _sequences(path)
            ]


def _format_of(path: Path, format: Format) -> Format:
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give a data set with boxes")
    if format != "auto":
        return format
    if path.is_file() and path.suffix == ".json":
        return "coco"
    if (path / "label_2").is_dir():
        return "kitti-object"
    if (path / "Annotations").is_dir():
        return "voc"
    if path.is_dir() and any(True for _ in _drive_folders(path)):
        return "drives"
    if path.is_dir() and _coco_files(path):
        return "coco"
    raise UserError(
        f"{path}: no data set with boxes: looked for COCO's JSON, VOC's Annotations/, KITTI's label_2/ and "
        "label_02/, there and for drives two folders down"
    )


def _coco_files(folder: Path) -> list[Path]:
    """Its files of boxes; COCO's own folder has others beside ``instances_*.json``: of captions and of keypoints."""
    inside = folder / "annotations"
    files = list_files(inside if inside.is_dir() else folder, {".json"})
    return [file for file in files if file.stem.startswith("instances_")] or files


def _kitti_lists(folder: Path) -> dict[str, list[str] | None]:
    """The lists of names that lie in ``ImageSets/``, in the folder or beside it."""
    for place in (folder / "ImageSets", folder.parent / "ImageSets"):
        if place.is_dir():
            lists = {file.stem: file.read_text(encoding="utf-8").split() for file in list_files(place, {".txt"})}
            return {name: names for name, names in lists.items() if name != "test"}  # its labels are not public
    return {_name(folder): None}


def _drive_folders(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    if (folder / "label_02").is_dir():
        yield folder
    elif depth:
        for inside in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _drive_folders(inside, depth - 1)


def _sequences(path: Path) -> list[TrackedSequence]:
    sequences = [sequence for folder in _drive_folders(path) for sequence in sequences_of(folder)]
    if not sequences:
        raise UserError(f"{path}: no drives with label_02/, there or up to {_DEPTH} folders down")
    return sequences


def _read_drives(sequences: Sequence[TrackedSequence], path: Path, limits: Limits, bad_boxes: BadBoxes) -> DetectionSet:
    values = sequences_as_coco([s._replace(instances=None) for s in sequences], relative_to=path, limits=limits)
    return from_values(values, path, (path,), bad_boxes)


def _name(folder: Path) -> str:
    return os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119 - resolve() would name what a link leads to
