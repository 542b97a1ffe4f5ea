"""COCO's instances (https://cocodataset.org/#format-data): one JSON file of images, annotations and categories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import UserError
from formats.detection.dataset import Annotation, BadBoxes, DetectionSet, bad_box_notes, make_picture
from formats.detection.pictures import PictureFiles
from formats.json_files import entries, field, number, read_object

HOLDS = "images, annotations and categories"
"""What the object in such a file has."""


def read_coco(path: Path, bad_boxes: BadBoxes = "refuse") -> DetectionSet:
    """The set of a file such as ``annotations/instances_val2017.json``.

    Pictures are looked for beside the file, in ``images/`` there, and in COCO's own place, ``../val2017/``.

    Raises:
        UserError: not COCO's JSON, a category or image that is not listed, a missing picture, a bad box.
    """
    return from_values(read_object(path, HOLDS), path, _pictures_of(path), bad_boxes)


def from_values(
    values: Mapping[str, Any], path: Path, folders: tuple[Path, ...], bad_boxes: BadBoxes = "refuse"
) -> DetectionSet:
    """The set of COCO's JSON object. ``path`` begins each error; ``folders``: where its pictures may be."""
    images, categories = (
        entries(field(values, key, str(path)), f"{path}: {key!r}") for key in ("images", "categories")
    )
    if not images:
        raise UserError(f"{path}: has no images; give a set with pictures")
    names = {field(c, "id", f"{path}: a category"): str(field(c, "name", f"{path}: a category")) for c in categories}
    ids = sorted(names)
    label_of = {category: label for label, category in enumerate(ids)}
    found: dict[Any, list[Annotation]] = {field(image, "id", f"{path}: an image"): [] for image in images}
    for entry in entries(field(values, "annotations", str(path)), f"{path}: 'annotations'"):
        where = f"{path}: annotation {entry.get('id', '?') if isinstance(entry, dict) else entry!r}"
        image = field(entry, "image_id", where)
        if image not in found:
            raise UserError(f"{where}: its image {image!r} is not among the images; complete them, or remove it")
        found[image].append(_annotation(entry, label_of, where))
    folder = _folder(folders, images[0], path)
    files, pictures = PictureFiles(), []
    left_out: list[str] | None = [] if bad_boxes == "leave-out" else None
    for image in images:
        where = f"{path}: image {image['id']!r}"
        file = folder / str(field(image, "file_name", where))
        stated = int(number(field(image, "width", where), where)), int(number(field(image, "height", where), where))
        size = files.size(file, where, stated)
        pictures.append(make_picture(file, size, found[image["id"]], image["id"], left_out))
    notes = (*files.notes, *bad_box_notes(left_out or ()))
    return DetectionSet(tuple(pictures), tuple(names[i] for i in ids), tuple(ids), notes)


def _annotation(entry: Mapping[str, Any], label_of: Mapping[Any, int], where: str) -> Annotation:
    category = field(entry, "category_id", where)
    if category not in label_of:
        raise UserError(f"{where}: category {category!r} is not among the {len(label_of)} categories; correct it")
    box = entries(field(entry, "bbox", where), f"{where}: 'bbox'")
    if len(box) != 4:
        raise UserError(f"{where}: bbox {box!r}; give [left, top, width, height] in pixels")
    left, top, width, height = (number(value, f"{where}: bbox") for value in box)
    area = number(entry["area"], f"{where}: area") if "area" in entry else None
    return Annotation(
        (left, top, left + width, top + height), label_of[category], where, bool(entry.get("iscrowd", 0)), area
    )


def _pictures_of(path: Path) -> tuple[Path, ...]:
    subset = path.stem.partition("_")[2] or path.stem  # instances_val2017
    return path.parent, path.parent / "images", path.parent.parent / subset, path.parent.parent / "images" / subset


def _folder(folders: tuple[Path, ...], image: Mapping[str, Any], path: Path) -> Path:
    """The first of ``folders`` that has the first picture."""
    name = str(field(image, "file_name", f"{path}: image {image['id']!r}"))
    for folder in folders:
        if (folder / name).is_file():
            return folder
    looked = ", ".join(str(folder) for folder in folders)
    raise UserError(f"{path}: its first picture {name} is not there; looked in {looked}")
