"""Pascal VOC (Everingham et al., IJCV 2010): ``Annotations/*.xml``, ``JPEGImages/`` and ``ImageSets/Main/*.txt``.

VOC counts pixels from 1, the last one in: 1 is taken off ``xmin`` and ``ymin``. Difficult objects are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from errors import UserError
from formats.detection.dataset import Annotation, BadBoxes, DetectionSet, bad_box_notes, make_picture
from formats.detection.pictures import PictureFiles
from formats.frames import list_files

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"
)  # fmt: skip


class _Object(NamedTuple):
    name: str
    box: tuple[float, float, float, float]
    difficult: bool


class _Described(NamedTuple):
    """What an XML file says: its picture, the width and height, and the objects."""

    picture: str
    size: tuple[int, int]
    objects: list[_Object]


def read_voc(folder: Path, names: Sequence[str] | None, bad_boxes: BadBoxes = "refuse") -> DetectionSet:
    """The pictures of a folder such as ``VOC2007``. Classes are VOC's twenty, or, where the folder has others, all
    names that its annotations have, sorted: those of all files, so that subsets have the same.

    Args:
        names: of the pictures (``000005``), in their order; None for all that have annotations.

    Raises:
        UserError: no annotations, a file is missing or damaged, a bad box.
    """
    annotations = {file.stem: file for file in list_files(folder / "Annotations", {".xml"})}
    if not annotations:
        raise UserError(f"{folder / 'Annotations'}: no *.xml files; VOC's annotations are there, one per picture")
    described = {name: _read(file) for name, file in annotations.items()}
    there = {thing.name for each in described.values() for thing in each.objects}
    classes = CLASSES if there <= set(CLASSES) else tuple(sorted(there))
    files, pictures = PictureFiles(), []
    left_out: list[str] | None = [] if bad_boxes == "leave-out" else None
    for number, name in enumerate(described if names is None else names):
        if name not in described:
            raise UserError(f"{folder / 'Annotations' / name}.xml: no such file; complete the annotations, or the list")
        found, where = described[name], str(annotations[name])
        file = folder / "JPEGImages" / found.picture
        size = files.size(file, where, found.size)
        objects = [
            Annotation(thing.box, classes.index(thing.name), f"{where}: {thing.name}", thing.difficult)
            for thing in found.objects
        ]
        pictures.append(make_picture(file, size, objects, number, left_out))
    notes = (*files.notes, *bad_box_notes(left_out or ()))
    return DetectionSet(tuple(pictures), classes, tuple(range(1, len(classes) + 1)), notes)


def image_sets(folder: Path) -> dict[str, list[str]]:
    """The lists of names in ``ImageSets/Main`` (``trainval``, ``test``), without those of single classes."""
    found = {}
    for file in list_files(folder / "ImageSets" / "Main", {".txt"}):
        if "_" not in file.stem:
            found[file.stem] = file.read_text(encoding="utf-8").split()
    return found


def _read(file: Path) -> _Described:
    try:
        root = ElementTree.fromstring(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise UserError(f"{file}: is not XML: {error}; the file is damaged") from error
    size = int(_number(root, "size/width", file)), int(_number(root, "size/height", file))
    objects = [_object(element, file) for element in root.iterfind("object")]
    return _Described(_text(root, "filename", file), size, objects)


def _object(element: ElementTree.Element, file: Path) -> _Object:
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{side}", file) for side in ("xmin", "ymin", "xmax", "ymax"))
    difficult = (element.findtext("difficult") or "0").strip() == "1"
    return _Object(_text(element, "name", file), (xmin - 1, ymin - 1, xmax, ymax), difficult)


def _text(element: ElementTree.Element, path: str, file: Path) -> str:
    text = element.findtext(path)
    if text is None or not text.strip():
        raise UserError(f"{file}: no {path} in <{element.tag}>; it is not Pascal VOC's, or damaged")
    return text.strip()


def _number(element: ElementTree.Element, path: str, file: Path) -> float:
    text = _text(element, path, file)
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{file}: {path} is {text!r}; give a number") from None
