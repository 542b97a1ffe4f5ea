"""Annotated boxes to score by, in COCO's form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import UserError
from evaluation.detection.protocol import coco_form
from formats.detection.coco import HOLDS
from formats.detection.dataset import DetectionSet
from formats.json_files import entries, field, number, read_object


def as_coco(data: DetectionSet) -> dict[str, Any]:
    """Annotations in COCO's form; pictures are numbered from 0."""
    return coco_form(data.pictures, data.class_names, data.category_ids)


def read_coco(path: Path) -> dict[str, Any]:
    """COCO's annotations as they are: the pictures need not be there. An object without an area has that of its box.

    Raises:
        UserError: not COCO's JSON; the annotation that is wrong.
    """
    content = read_object(path, HOLDS)
    images, categories, annotations = (
        entries(field(content, name, f"{path}: COCO's annotations are needed, and this"), f"{path}: {name!r}")
        for name in ("images", "categories", "annotations")
    )
    known = {
        "image_id": {field(image, "id", f"{path}: an image") for image in images},
        "category_id": {field(category, "id", f"{path}: a category") for category in categories},
    }
    checked = [_annotation(entry, known, f"{path}: annotation {k}") for k, entry in enumerate(annotations)]
    return {"images": images, "categories": categories, "annotations": checked}


def _annotation(entry: Any, known: Mapping[str, set[Any]], where: str) -> dict[str, Any]:
    for name, ids in known.items():
        if (given := field(entry, name, where)) not in ids:
            raise UserError(f"{where}: {name} is {given!r}, which the file does not list; correct it")
    box = [number(value, f"{where}: bbox") for value in entries(field(entry, "bbox", where), f"{where}: bbox")]
    if len(box) != 4 or min(box[2:]) < 0:
        raise UserError(f"{where}: bbox is {box}; give left, top, width and height, which are not negative")
    area = number(entry.get("area", box[2] * box[3]), f"{where}: area")
    return {**{name: entry[name] for name in known}, "bbox": box, "area": area, "iscrowd": entry.get("iscrowd", 0)}
