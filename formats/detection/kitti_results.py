"""Lines of KITTI's object benchmark, as a detector hands them in (devkit_object/readme.txt)."""

from __future__ import annotations

from typing import NamedTuple

TYPE_OF = {
    "bicycle": "Misc",
    "bicyclist": "Cyclist",
    "bus": "Misc",
    "car": "Car",
    "cyclist": "Cyclist",
    "misc": "Misc",
    "motorbike": "Misc",
    "motorcycle": "Misc",
    "motorcyclist": "Misc",
    "other-vehicle": "Misc",
    "pedestrian": "Pedestrian",
    "person": "Pedestrian",
    "person_sitting": "Person_sitting",
    "trailer": "Misc",
    "train": "Tram",
    "tram": "Tram",
    "truck": "Truck",
    "van": "Van",
}
"""Class names in small letters, of COCO, SemanticKITTI, simulated drives and KITTI itself, → KITTI's types. ``Misc``
are vehicles that have none of their own."""


class Space(NamedTuple):
    """An object in space, in the camera's frame: x right, y down, z forward.

    ``size_m``: height, width, length. ``location_m``: the middle of its bottom. ``rotation_y``: radians about y, -π..π:
    0 where its length runs along x. ``alpha``: the same against the line of sight.
    """

    size_m: tuple[float, float, float]
    location_m: tuple[float, float, float]
    rotation_y: float
    alpha: float


def format_line(kind: str, box: tuple[float, float, float, float], score: float, space: Space | None) -> str:
    """One object as a line, without a newline. How much of it is hidden nobody knows: -1 and -1.

    Args:
        kind: KITTI's type.
        box: x1 y1 x2 y2 in pixels, continuous; KITTI counts the last column and row in: 1 less is written for these.
        space: None: KITTI's placeholders, sizes of -1 m, places of -1000 m, angles of -10.
    """
    x1, y1, x2, y2 = box
    space = space or Space((-1, -1, -1), (-1000, -1000, -1000), -10, -10)
    numbers = (x1, y1, x2 - 1, y2 - 1, *space.size_m, *space.location_m, space.rotation_y)
    return " ".join([kind, "-1", "-1", f"{space.alpha:.2f}", *(f"{n:.2f}" for n in numbers), f"{score:.4f}"])
