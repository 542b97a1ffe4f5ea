"""What the LiDAR knows of an object that was found in the image: its points, distance and extent."""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np

# Which point classes may belong to a detected class, where the names differ between label sets (COCO, KITTI and
# Open Images on the left, SemanticKITTI on the right). A class of the same name always does.
_POINT_CLASSES = {
    "bicycle": {"bicyclist"},
    "bus": {"other-vehicle"},
    "cyclist": {"bicycle", "bicyclist"},
    "motorcycle": {"motorcyclist"},
    "pedestrian": {"person"},
    "person": {"bicyclist", "motorcyclist"},
    "person_sitting": {"person"},
    "tram": {"other-vehicle"},
    "truck": {"other-vehicle"},
    "van": {"car", "other-vehicle"},
}

_VEHICLES = frozenset({"bus", "car", "on-rails", "other-vehicle", "train", "tram", "truck", "van"})
_PEOPLE = frozenset(
    {"bicycle", "bicyclist", "cyclist", "motorcycle", "motorcyclist", "pedestrian", "person", "person_sitting"}
)


def matching_labels(class_name: str, point_class_names: tuple[str, ...]) -> np.ndarray:
    """The indices in ``point_class_names`` of the classes that points of a detected ``class_name`` may have."""
    wanted = class_name.strip().lower()
    accepted = {wanted} | _POINT_CLASSES.get(wanted, set())
    return _indices(point_class_names, accepted)


def foreign_labels(class_name: str, point_class_names: tuple[str, ...]) -> np.ndarray:
    """The indices of the classes that points of a detected ``class_name`` cannot have: those of vehicles for people and
    what they ride, and the other way round. Within either, labels are often exchanged."""
    wanted = class_name.strip().lower()
    foreign = _VEHICLES if wanted in _PEOPLE else _PEOPLE if wanted in _VEHICLES else frozenset()
    return _indices(point_class_names, foreign)


def _indices(names: tuple[str, ...], wanted: Set[str]) -> np.ndarray:
    return np.array([i for i, name in enumerate(names) if name.lower() in wanted], np.intp)


def foreground(ranges_m: np.ndarray, *, gap_m: float = 1.0, min_share: float = 0.2) -> np.ndarray:
    """Mask of the points that belong to the object in front, among all points seen through one image box.

    A box also shows what is behind its object, and now and then a twig before it. Sorted by range, the points fall into
    clusters with more than ``gap_m`` between them; the nearest cluster that holds at least ``min_share`` of the points
    is the object, or the largest one where none holds that much. ``ranges_m``: ``[K]``, K ≥ 1; returns bool ``[K]``.
    """
    order = np.argsort(ranges_m, kind="stable")
    starts = np.flatnonzero(np.diff(ranges_m[order]) > gap_m) + 1
    bounds = np.concatenate(([0], starts, [len(order)]))
    sizes = np.diff(bounds)
    large_enough = sizes >= math.ceil(min_share * len(order))
    chosen = int(np.argmax(large_enough)) if large_enough.any() else int(np.argmax(sizes))
    mask = np.zeros(len(order), bool)
    mask[order[bounds[chosen] : bounds[chosen + 1]]] = True
    return mask


def points_in_box(
    points: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    box: np.ndarray,
    accepted_labels: np.ndarray,
    foreign_labels: np.ndarray,
) -> np.ndarray:
    """The points ``[K, 3]`` of the object in an image box ``x1 y1 x2 y2``; K is 0 where the LiDAR has none.

    Of the points in the box, those with one of ``accepted_labels`` are taken if there are any, else all but those with
    one of ``foreign_labels``: a wrong label must not hide an object, nor a parked car give its distance to who stands
    behind it. Of these, the :func:`foreground`.
    """
    inside = (pixels[:, 0] >= box[0]) & (pixels[:, 0] <= box[2]) & (pixels[:, 1] >= box[1]) & (pixels[:, 1] <= box[3])
    index = np.flatnonzero(inside)  # NaN pixels compare false
    of_class = index[np.isin(labels[index], accepted_labels)]
    possible = of_class if len(of_class) else index[~np.isin(labels[index], foreign_labels)]
    xyz = points[possible, :3]
    return xyz[foreground(np.linalg.norm(xyz, axis=1))] if len(xyz) else xyz
