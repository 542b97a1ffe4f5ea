"""Objects of rare classes, taken out of their scans and put into others, where there is free ground.

Instance-level mixing as PolarMix has it (Xiao et al., NeurIPS 2022), with the ground minded: an object is only turned
about the sensor's vertical axis, so it keeps its distance, the density of its points and the side that faces the
sensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from formats.labelled_scans import LabelledScan, ScanFiles, read_points
from formats.labels import LabelTable, read_labels

GROUND = ("road", "parking", "sidewalk", "other-ground", "terrain")
LEAST_POINTS = 30
PER_CLASS = 400
_MARGIN_M = 0.4  # around an object: free ground where it is put, its own ground where it is taken from
_LEAST_GROUND = 5
_MAX_STANDING = 0.02  # share of the points on the ground under it that may be of other classes
_MAX_LIFT_M = 1.0
_TRIES = 8
_CELL_RAD = np.radians((0.7, 0.44))  # azimuth, elevation: a pixel of 64×512


class Thing(NamedTuple):
    """An object as one scan saw it: ``points`` [N, 4] x y z remission, its class, the ground's height under it."""

    points: np.ndarray
    label: int
    ground_m: float


class Things:
    """What can be pasted. ``by_class``: of each class, the objects of it; ``is_ground`` [C] bool."""

    def __init__(self, by_class: Mapping[int, Sequence[Thing]], is_ground: np.ndarray) -> None:
        self._by_class = by_class
        self._is_ground = is_ground

    @classmethod
    def collect(cls, scans: Iterable[ScanFiles], table: LabelTable, wanted: Sequence[int]) -> Things:
        """Objects of the classes ``wanted`` with :data:`LEAST_POINTS`, at most :data:`PER_CLASS` of each."""
        is_ground = np.array([name in GROUND for name in table.names])
        found: dict[int, list[Thing]] = {label: [] for label in wanted}
        for scan in scans:
            raw_ids, instances = read_labels(scan.labels)
            labels = table.to_train(raw_ids)
            open_classes = [label for label in wanted if len(found[label]) < PER_CLASS]
            if not np.isin(labels, open_classes).any():
                continue
            points = read_points(scan.points)
            ground = points[is_ground[labels], :3]
            for label in open_classes:
                of_class = labels == label
                for instance in np.unique(instances[of_class & (instances > 0)]):
                    thing = _taken(points[of_class & (instances == instance)], label, ground)
                    if thing is not None:
                        found[label].append(thing)
        return cls({label: things[:PER_CLASS] for label, things in found.items() if things}, is_ground)

    def paste_into(
        self, scan: LabelledScan, rng: np.random.Generator, mean_counts: np.ndarray, centre_rad: float, half_rad: float
    ) -> LabelledScan:
        """``scan`` with objects between the azimuths ``centre_rad`` ± ``half_rad``.

        ``mean_counts`` [C]: how many of each class on average (Poisson); fewer where there is no free ground.
        """
        for label, things in self._by_class.items():
            for _ in range(rng.poisson(mean_counts[label])):
                thing = things[rng.integers(len(things))]
                for _ in range(_TRIES):
                    pasted = self._pasted(scan, thing, centre_rad + rng.uniform(-half_rad, half_rad))
                    if pasted is not None:
                        scan = pasted
                        break
        return scan

    def _pasted(self, scan: LabelledScan, thing: Thing, azimuth_rad: float) -> LabelledScan | None:
        """None: there is no free ground at that azimuth."""
        middle = thing.points[:, :2].mean(axis=0)
        turn = azimuth_rad - np.arctan2(middle[1], middle[0])
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
        points = thing.points.copy()
        points[:, :2] = points[:, :2] @ rotation.T
        under = _beside(scan.points, points)
        ground = scan.points[under & self._is_ground[scan.labels], 2]
        if len(ground) < _LEAST_GROUND or len(ground) < (1 - _MAX_STANDING) * under.sum():
            return None
        lift_m = float(np.median(ground)) - thing.ground_m
        if abs(lift_m) > _MAX_LIFT_M:
            return None
        points[:, 2] += lift_m
        seen = ~_hidden(scan.points, points)
        return LabelledScan(
            np.concatenate([scan.points[seen], points]),
            np.concatenate([scan.labels[seen], np.full(len(points), thing.label, scan.labels.dtype)]),
        )


def _taken(points: np.ndarray, label: int, ground: np.ndarray) -> Thing | None:
    if len(points) < LEAST_POINTS:
        return None
    heights = ground[_beside(ground, points), 2]
    return Thing(points, label, float(np.median(heights))) if len(heights) >= _LEAST_GROUND else None


def _beside(points: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """Which ``points`` [N, 3+] are over or under the rectangle that ``thing`` [M, 3+] fills, seen from above."""
    low, high = thing[:, :2].min(axis=0) - _MARGIN_M, thing[:, :2].max(axis=0) + _MARGIN_M
    return ((points[:, :2] > low) & (points[:, :2] < high)).all(axis=1)


def _hidden(points: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """Which ``points`` are behind ``thing``, seen from the sensor."""
    distance_m = np.linalg.norm(points[:, :3], axis=1)
    return np.isin(_cells(points), np.unique(_cells(thing))) & (distance_m > np.linalg.norm(thing[:, :3], axis=1).min())


def _cells(points: np.ndarray) -> np.ndarray:
    """The direction of each point, in cells as large as a pixel: [N] int64."""
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    elevation = np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
    column, row = (np.floor(a / cell).astype(np.int64) for a, cell in zip((azimuth, elevation), _CELL_RAD, strict=True))
    return column * 1000 + row
