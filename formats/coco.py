"""A drive with KITTI tracking labels as a COCO detection data set (https://cocodataset.org/#format-data).

Pictures stay where they are; annotations come from ``label_02/0000.txt``, one per object and frame. Where the drive has
``objects.jsonl`` (simulated drives have), categories are its kinds instead of KITTI's types, and areas and occlusion
are the measured ones. Where it has ``instances_2/``, each annotation has its mask, as uncompressed run lengths.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError
from formats import images, kitti_tracking, recording
from formats.kitti_tracking import TrackedObject

_LABELS, _OBJECTS, _INSTANCES = "label_02/0000.txt", "objects.jsonl", "instances_2"
_HIDDEN = (0.0, 0.5, 0.9, 1.0)  # how much each of KITTI's levels of occlusion hides at most, where nothing measured it


def from_drive(folder: Path, *, most_hidden: float = 1.0, least_height_px: float = 0.0) -> dict[str, Any]:
    """The data set of one drive's left colour camera: ``images``, ``annotations``, ``categories``, ``info``.

    ``file_name`` is relative to ``folder``; ``bbox`` is left, top, width, height, with the last row and column counted.
    Objects that are hidden to a larger share than ``most_hidden``, or lower than ``least_height_px``, get ``iscrowd``
    1: COCO's evaluation then neither asks for them nor holds them against a detector, as with KITTI's DontCare regions,
    which become one such annotation per category.

    Raises:
        UserError: no labels or pictures there, or labels of a frame without a picture.
    """
    folder = Path(folder)
    if not (folder / _LABELS).is_file():
        raise UserError(f"{folder}: no {_LABELS}; COCO needs a drive with KITTI tracking labels")
    labels = kitti_tracking.read(folder / _LABELS)
    measured = _measured(folder / _OBJECTS)
    pictures = {_frame(file): file for file in recording.camera_frames(folder, 2, 10.0).files}
    if orphans := sorted({label.frame for label in labels} - set(pictures)):
        raise UserError(f"{folder / _LABELS}: frame {orphans[0]} has labels but no picture; complete image_2")

    kinds = sorted({_kind(label, measured) for label in labels} - {"DontCare"})
    category = {kind: number for number, kind in enumerate(kinds, 1)}
    annotations: list[dict[str, Any]] = []
    for label in labels:
        kind = _kind(label, measured)
        common = _annotation(label, measured, most_hidden, least_height_px)
        for number in [category[kind]] if kind in category else category.values():
            annotations.append({"id": len(annotations) + 1, "category_id": number, **common})
    if (folder / _INSTANCES).is_dir():
        _add_masks(annotations, folder / _INSTANCES)
    return {
        "info": {"description": f"left colour camera of {folder.resolve().name}"},
        "images": [_image(frame, file, folder) for frame, file in sorted(pictures.items())],
        "annotations": annotations,
        "categories": [{"id": number, "name": kind, "supercategory": "road user"} for kind, number in category.items()],
    }


def run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's uncompressed RLE of ``mask`` bool [H,W]: lengths of alternating runs, column by column, zeros first."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": list(mask.shape), "counts": np.diff(ends, prepend=0).tolist()}


def _measured(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """The entries of an ``objects.jsonl`` by frame and track; none where there is no such file."""
    if not path.is_file():
        return {}
    try:
        frames = [json.loads(line) for line in path.read_text().splitlines()]
        return {(frame["frame"], entry["track_id"]): entry for frame in frames for entry in frame["objects"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is not the objects.jsonl of a simulated drive ({error!r}); remove it") from error


def _kind(label: TrackedObject, measured: dict[tuple[int, int], dict[str, Any]]) -> str:
    entry = measured.get((label.frame, label.track_id))
    return entry["kind"] if entry else label.type


def _annotation(
    label: TrackedObject,
    measured: dict[tuple[int, int], dict[str, Any]],
    most_hidden: float,
    least_height_px: float,
) -> dict[str, Any]:
    """A label as COCO has it, without its number and category."""
    details = measured.get((label.frame, label.track_id), {}).get("image_2") or {}
    hidden = details.get("occlusion", _HIDDEN[label.occluded] if 0 <= label.occluded < len(_HIDDEN) else 1.0)
    left, top, right, bottom = label.box_px
    width, height = right - left + 1, bottom - top + 1
    left_out = label.type == "DontCare" or hidden > most_hidden or height < least_height_px
    return {
        "image_id": label.frame,
        "bbox": [left, top, width, height],
        "area": details.get("pixels", width * height),
        "iscrowd": int(left_out),
        "track_id": label.track_id,
        "occlusion": hidden,
    }


def _frame(file: Path) -> int:
    if not file.stem.isdigit():
        raise UserError(f"{file}: is not named by its frame's number; labels cannot be joined with it")
    return int(file.stem)


def _image(frame: int, file: Path, folder: Path) -> dict[str, Any]:
    height, width = images.read_image(file).shape[:2]
    return {"id": frame, "file_name": str(file.relative_to(folder)), "width": width, "height": height}


def _add_masks(annotations: list[dict[str, Any]], folder: Path) -> None:
    """Give each annotation the ``segmentation`` that the pictures of instances (16-bit PNG of track ids) show."""
    import cv2

    instances, frame = np.zeros((0, 0)), None
    for annotation in sorted(annotations, key=lambda a: a["image_id"]):
        if annotation["image_id"] != frame:
            frame = annotation["image_id"]
            file = folder / f"{frame:06d}.png"
            instances = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) if file.is_file() else None
            if instances is None or instances.ndim != 2:
                raise UserError(
                    f"{file}: missing or not a one-channel PNG of track ids; remove {folder} or complete it"
                )
        annotation["segmentation"] = run_lengths(instances == annotation["track_id"])
