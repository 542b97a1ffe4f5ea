"""KITTI's tracking labels: ``label_02/0000.txt``, one line per object and frame (devkit_tracking/readme.txt)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from errors import UserError

TYPES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare")
_EVALUATION_NAMES = {"Person": "Person_sitting"}  # the readme and the label files differ on this name
_FIELDS = 17


class TrackedObject(NamedTuple):
    """One line. Boxes and places are those of the left colour camera and of rectified camera 0.

    ``truncated``: 0 not, 1 partly, 2 largely outside the image. ``occluded``: 0 not, 1 partly, 2 largely, 3 unknown.
    ``alpha``, ``rotation_y``: radians, -π..π; ``rotation_y`` 0 faces right (camera x), -π/2 away from the camera;
    ``alpha`` is the same against the line of sight. ``box_px``: left, top, right, bottom, 0-based. ``size_m``: height,
    width, length. ``location_m``: x right, y down, z forward of the middle of the box's bottom. DontCare regions have
    track -1 and only a 2-D box. ``score``: of a detection; labels have none.
    """

    frame: int
    track_id: int
    type: str
    truncated: int
    occluded: int
    alpha: float
    box_px: tuple[float, float, float, float]
    size_m: tuple[float, float, float]
    location_m: tuple[float, float, float]
    rotation_y: float
    score: float | None = None


def format_line(tracked: TrackedObject) -> str:
    """The object as a line of a label file, without a newline."""
    numbers = (tracked.alpha, *tracked.box_px, *tracked.size_m, *tracked.location_m, tracked.rotation_y)
    if tracked.score is not None:
        numbers += (tracked.score,)
    head = f"{tracked.frame} {tracked.track_id} {tracked.type} {tracked.truncated} {tracked.occluded}"
    return " ".join([head, *(f"{number:.6f}" for number in numbers)])


def read(path: Path) -> list[TrackedObject]:
    """All lines of a label or result file, in its order.

    Raises:
        UserError: the file cannot be read, or a line is not one of KITTI's tracking labels.
    """
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as KITTI tracking labels: {error}") from error
    return [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _parse(line: str, where: str) -> TrackedObject:
    fields = line.split()
    if len(fields) not in (_FIELDS, _FIELDS + 1):
        raise UserError(
            f"{where}: {len(fields)} fields instead of {_FIELDS}; these are no KITTI tracking labels "
            "(frame track_id type truncated occluded alpha …)"
        )
    name = _EVALUATION_NAMES.get(fields[2], fields[2])
    if name not in TYPES:
        raise UserError(f"{where}: type {fields[2]!r} is not KITTI's; it must be one of {', '.join(TYPES)}")
    try:
        frame, track_id, truncated, occluded = (int(float(fields[k])) for k in (0, 1, 3, 4))
        n = [float(field) for field in fields[5:]]
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: {error}; the file is damaged") from error
    if not all(math.isfinite(value) for value in n):
        raise UserError(f"{where}: holds a number that is not finite; the file is damaged")
    score = n[12] if len(n) > 12 else None
    return TrackedObject(
        frame,
        track_id,
        name,
        truncated,
        occluded,
        n[0],
        (n[1], n[2], n[3], n[4]),
        (n[5], n[6], n[7]),
        (n[8], n[9], n[10]),
        n[11],
        score,
    )
