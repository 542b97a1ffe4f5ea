"""Drives with KITTI tracking labels, simulated ones among them, as a COCO data set (cocodataset.org/#format-data).

Pictures stay where they are; annotations come from ``label_02/0000.txt``, one per object and frame. Where the drive has
``objects.jsonl`` (simulated drives have), categories are its kinds instead of KITTI's types, and areas and occlusion
are the measured ones. Where it has ``instances_2/`` (raw drives: ``instances_02/``), each annotation has its mask, as
uncompressed run lengths.

``python -m formats.detection.tracked_drives DRIVE... --out FILE`` writes the set of one or several drives.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from errors import UserError
from formats import images, kitti_tracking, recording
from formats.frames import list_files
from formats.kitti_tracking import TrackedObject

_LABELS, _OBJECTS = "label_02/0000.txt", "objects.jsonl"
_INSTANCES = ("instances_2", "instances_02")  # in a sequence, in a raw drive
DONT_CARE = "DontCare"
KITTI_KINDS = tuple(kind for kind in kitti_tracking.TYPES if kind != DONT_CARE)
# Who is in an objects.jsonl (simulation.actors.Kind).
KINDS = (
    "car", "van", "truck", "bus", "trailer", "bicycle", "motorcycle", "pedestrian", "cyclist", "motorcyclist"
)  # fmt: skip
_HIDDEN = (0.0, 0.5, 0.9, 1.0)  # how much each of KITTI's levels of occlusion hides at most, where nothing measured it


class Limits(NamedTuple):
    """Which objects a detector is asked for: those of which a larger share than ``most_hidden`` is behind others or
    outside the picture, or lower than ``least_height_px``, are ignored. KITTI's levels of occlusion count as the most
    that they can hide."""

    most_hidden: float = 1.0
    least_height_px: float = 0.0


NO_LIMITS = Limits()


class TrackedSequence(NamedTuple):
    """One sequence with KITTI tracking labels. ``objects`` and ``instances``: None where there are none."""

    name: str
    labels: Path
    pictures: list[Path]
    objects: Path | None
    instances: Path | None


def sequences_of(folder: Path) -> list[TrackedSequence]:
    """The sequences of a folder: the one of a drive (``label_02/0000.txt`` with its pictures in ``image_2`` or
    ``image_02/data``), or all of KITTI's tracking benchmark (``label_02/0007.txt`` with ``image_02/0007/*.png``).

    Raises:
        UserError: no labels there, or no pictures.
    """
    benchmark = sorted((folder / "label_02").glob("*.txt"))
    if benchmark and (folder / "image_02" / benchmark[0].stem).is_dir():
        found = [(labels.stem, labels, folder / "image_02" / labels.stem) for labels in benchmark]
        return [TrackedSequence(name, labels, _listed(pictures), None, None) for name, labels, pictures in found]
    labels, objects = folder / _LABELS, folder / _OBJECTS
    if not labels.is_file():
        raise UserError(f"{folder}: no {_LABELS}; COCO needs a drive with KITTI tracking labels")
    pictures = recording.camera_frames(folder, 2, 10.0).files
    instances = next((folder / name for name in _INSTANCES if (folder / name).is_dir()), None)
    name = folder.resolve().name
    return [TrackedSequence(name, labels, pictures, objects if objects.is_file() else None, instances)]


def _listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; its labels are there, complete the pictures")
    return list_files(folder, images.SUFFIXES)


def as_coco(folders: Sequence[Path], *, relative_to: Path, limits: Limits = NO_LIMITS) -> dict[str, Any]:
    """The left colour cameras of several drives, in their order, as one data set: :func:`sequences_as_coco`."""
    if not folders:
        raise UserError("COCO needs at least one drive with KITTI tracking labels")
    sequences = [sequence for folder in folders for sequence in sequences_of(Path(folder))]
    return sequences_as_coco(sequences, relative_to=relative_to, limits=limits)


def sequences_as_coco(
    sequences: Sequence[TrackedSequence], *, relative_to: Path, limits: Limits = NO_LIMITS
) -> dict[str, Any]:
    """One data set of several sequences: ``images``, ``annotations``, ``categories``, ``info``.

    ``file_name`` is relative to the folder ``relative_to``. Categories are :data:`KINDS` or, where no sequence has
    ``objects.jsonl``, KITTI's types, all of them and in this order whichever of them occur: what is trained on one set
    can be scored on another. Images and annotations are numbered through. ``bbox`` is left, top, width, height, with
    the last row and column counted. Objects beyond the ``limits`` get ``iscrowd`` 1: COCO's evaluation then neither
    asks for them nor holds them against a detector, as with KITTI's DontCare regions, which become one such annotation
    per category.

    Raises:
        UserError: labels of a frame without a picture; a kind that is not among the categories; simulated drives mixed
            with others, whose categories differ.
    """
    simulated = [sequence.objects is not None for sequence in sequences]
    if any(simulated) != all(simulated):
        other = sequences[simulated.index(False)].labels.parents[1]
        raise UserError(f"{other}: has no {_OBJECTS}, so its categories are KITTI's types; convert it by itself")
    category = {kind: number for number, kind in enumerate(KINDS if simulated[0] else KITTI_KINDS, 1)}
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for sequence in sequences:
        _add_sequence(sequence, relative_to, category, limits, pictures, annotations)
    return {
        "info": {"description": f"left colour camera of {', '.join(sequence.name for sequence in sequences)}"},
        "images": pictures,
        "annotations": annotations,
        "categories": [{"id": number, "name": kind, "supercategory": "road user"} for kind, number in category.items()],
    }


def _add_sequence(
    sequence: TrackedSequence,
    relative_to: Path,
    category: Mapping[str, int],
    limits: Limits,
    pictures: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
) -> None:
    """Add one sequence's images and annotations to those that there are already."""
    labels = kitti_tracking.read(sequence.labels)
    measured = _measured(sequence.objects)
    files = {_frame(file): file for file in sequence.pictures}
    if orphans := sorted({label.frame for label in labels} - set(files)):
        raise UserError(f"{sequence.labels}: frame {orphans[0]} has labels but no picture; complete the pictures")
    numbers = {frame: len(pictures) + k for k, frame in enumerate(sorted(files))}
    pictures += [_image(numbers[frame], files[frame], relative_to) for frame in sorted(files)]
    first = len(annotations)
    for label in labels:
        kind = _kind(label, measured)
        if kind != DONT_CARE and kind not in category:
            raise UserError(f"{sequence.objects}: kind {kind!r} is none of {', '.join(category)}; the file is damaged")
        common = {"image_id": numbers[label.frame], **_annotation(label, measured, limits)}
        for number in category.values() if kind == DONT_CARE else [category[kind]]:
            annotations.append({"id": len(annotations) + 1, "category_id": number, **common})
    if sequence.instances is not None:
        _add_masks(annotations[first:], sequence.instances, {numbers[frame]: file for frame, file in files.items()})


def run_lengths(mask: np.ndarray) -> dict[str, list[int]]:
    """COCO's uncompressed RLE of ``mask`` bool [H,W]: lengths of alternating runs, column by column, zeros first."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": list(mask.shape), "counts": np.diff(ends, prepend=0).tolist()}


def _measured(path: Path | None) -> dict[tuple[int, int], dict[str, Any]]:
    """The entries of an ``objects.jsonl`` by frame and track; none where there is no such file."""
    if path is None:
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
    label: TrackedObject, measured: dict[tuple[int, int], dict[str, Any]], limits: Limits
) -> dict[str, Any]:
    """A label as COCO has it, without its number and category."""
    details = measured.get((label.frame, label.track_id), {}).get("image_2") or {}
    hidden = details.get("occlusion", hidden_share(label.occluded))
    left, top, right, bottom = label.box_px
    width, height = right - left + 1, bottom - top + 1
    unseen = unseen_share(hidden, details.get("truncation", 0.0))
    left_out = label.type == DONT_CARE or unseen > limits.most_hidden or height < limits.least_height_px
    return {
        "bbox": [left, top, width, height],
        "area": details.get("pixels", width * height),
        "iscrowd": int(left_out),
        "track_id": label.track_id,
        "occlusion": hidden,
    }


def hidden_share(occluded: int) -> float:
    """How much one of KITTI's levels of occlusion hides at most; all of it where the level is unknown."""
    return _HIDDEN[occluded] if 0 <= occluded < len(_HIDDEN) else 1.0


def unseen_share(hidden: float, truncated: float) -> float:
    """How much of an object is not to be seen, of which one share is hidden and another is outside the picture."""
    return 1 - (1 - hidden) * (1 - truncated)


def _frame(file: Path) -> int:
    if not file.stem.isdigit():
        raise UserError(f"{file}: is not named by its frame's number; labels cannot be joined with it")
    return int(file.stem)


def _image(number: int, file: Path, relative_to: Path) -> dict[str, Any]:
    width, height, _ = images.read_header(file)
    name = Path(os.path.relpath(file, relative_to)).as_posix()
    return {"id": number, "file_name": name, "width": width, "height": height}


def _add_masks(annotations: list[dict[str, Any]], folder: Path, files: Mapping[int, Path]) -> None:
    """Give each annotation its ``segmentation``: from a 16-bit PNG of track ids, named as its image's of ``files``."""
    import cv2

    instances, image = np.zeros((0, 0)), None
    for annotation in sorted(annotations, key=lambda a: a["image_id"]):
        if annotation["image_id"] != image:
            image = annotation["image_id"]
            file = folder / f"{files[image].stem}.png"
            instances = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) if file.is_file() else None
            if instances is None or instances.ndim != 2:
                raise UserError(
                    f"{file}: missing or not a one-channel PNG of track ids; remove {folder} or complete it"
                )
        annotation["segmentation"] = run_lengths(instances == annotation["track_id"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: writes the set and says what is in it. Returns the exit status: 2 for a :class:`UserError`."""
    parser = argparse.ArgumentParser(
        prog="python -m formats.detection.tracked_drives",
        description="Drives with KITTI tracking labels as one COCO detection data set.",
    )
    parser.add_argument("drives", nargs="+", type=Path, metavar="DRIVE", help="folder with label_02/ and image_2/")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSON; file names are relative to it")
    parser.add_argument("--most-hidden", type=float, default=1.0, help="share above which an object is not asked for")
    parser.add_argument("--least-height-px", type=float, default=0.0, help="height below which it is not asked for")
    chosen = parser.parse_args(arguments)
    try:
        limits = Limits(chosen.most_hidden, chosen.least_height_px)
        data = as_coco(chosen.drives, relative_to=chosen.out.parent, limits=limits)
        _write(chosen.out, data)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{chosen.out}: {len(data['images'])} pictures, {len(data['annotations'])} objects")
    return 0


def _write(path: Path, data: dict[str, Any]) -> None:
    if path.exists():
        raise UserError(f"{path}: exists already; choose another --out")
    try:
        path.write_text(json.dumps(data))
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


if __name__ == "__main__":
    sys.exit(main())
