"""Labelled LiDAR scans in SemanticKITTI's layout (``velodyne/*.bin``, ``labels/*.label``) as training samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errors import UserError
from formats.labels import LabelTable, read_labels
from formats.pointcloud import read_bin
from models.range_view.normalize import normalize
from models.range_view.projection import Projection, project

HDL64_FOV_DEG = (3.0, -25.0)


class LabelledScan(NamedTuple):
    """``points`` [N, 4] float32 (metres, remission 0..1) and ``labels`` [N] uint8, the training class of each."""

    points: np.ndarray
    labels: np.ndarray


def find_scans(drives: Sequence[Path]) -> list[tuple[Path, Path]]:
    """The scans of some drives, each with its label file.

    Raises:
        UserError: a drive without scans, or a scan without labels.
    """
    pairs = []
    for drive in drives:
        scans = sorted((drive / "velodyne").glob("*.bin"))
        if not scans:
            raise UserError(f"{drive}: no velodyne/*.bin; give folders in SemanticKITTI's layout")
        for scan in scans:
            labels = drive / "labels" / f"{scan.stem}.label"
            if not labels.is_file():
                raise UserError(f"{labels}: not found; every scan of a training drive needs its labels")
            pairs.append((scan, labels))
    return pairs


def read_scan(pair: tuple[Path, Path], table: LabelTable) -> LabelledScan:
    """Read a scan and its labels; both must have the same number of points."""
    points = read_bin(pair[0])
    raw_ids, _ = read_labels(pair[1], len(points))
    return LabelledScan(points, table.to_train(raw_ids))


def class_frequencies(pairs: Sequence[tuple[Path, Path]], table: LabelTable) -> np.ndarray:
    """Share of each training class among the points: [C] float64, adds up to 1."""
    counts = np.zeros(len(table.names))
    for _, labels in pairs:
        counts += np.bincount(table.to_train(read_labels(labels)[0]), minlength=len(counts))
    return counts / counts.sum()


def augment(scan: LabelledScan, rng: np.random.Generator) -> LabelledScan:
    """Another scan that could have been: turned, mirrored, tilted, noisier, thinner, with another laser's remission.

    The remission is altered most, since it carries the least from one sensor to another, or from a simulated one to a
    real one; in one scan of five it says nothing at all.
    """
    keep = rng.random(len(scan.points)) >= rng.uniform(0, 0.3)
    points, labels = scan.points[keep], scan.labels[keep]
    xyz, remission = points[:, :3], points[:, 3]

    yaw, pitch, roll = rng.uniform(-np.pi, np.pi), *rng.normal(0, np.radians(0.7), 2)
    mirror = np.diag([1, rng.choice([-1, 1]), 1])
    xyz = xyz @ (mirror @ _rotation(yaw, pitch, roll)).T.astype(np.float32)
    xyz[:, 2] += rng.normal(0, 0.05)
    distance = np.linalg.norm(xyz, axis=1, keepdims=True)
    noise_m = rng.normal(0, rng.uniform(0, 0.03), distance.shape)
    xyz = xyz * (1 + noise_m / np.maximum(distance, 0.5)) * rng.uniform(0.97, 1.03)

    if rng.random() < 0.2:
        remission = np.full_like(remission, rng.uniform(0, 0.6))
    else:
        remission = remission ** rng.uniform(0.6, 1.6) * rng.uniform(0.5, 1.5) + rng.normal(0, 0.08)
        remission = remission + rng.normal(0, rng.uniform(0, 0.1), remission.shape)
    points = np.column_stack([xyz, np.clip(remission, 0, 1)]).astype(np.float32)
    return LabelledScan(points, labels)


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    return (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )


def label_image(projection: Projection, labels: np.ndarray) -> np.ndarray:
    """The label of the point that is in each pixel: [H, W] uint8, 0 where there is none."""
    image_range = projection.image[0]
    image = np.zeros(image_range.size, np.uint8)
    # The last point written stays: from the last to the first, so that of two at one range the earlier one does.
    shown = np.flatnonzero(projection.point_pixel >= 0)[::-1]
    shown = shown[projection.point_range[shown] == image_range.reshape(-1)[projection.point_pixel[shown]]]
    image[projection.point_pixel[shown]] = labels[shown]
    return image.reshape(image_range.shape)


def training_sample(
    scan: LabelledScan, rng: np.random.Generator, height: int, width: int, crop_width: int
) -> tuple[np.ndarray, np.ndarray]:
    """An augmented window of a scan's range image: normalised image [5, H, w] float32, labels [H, w] uint8."""
    augmented = augment(scan, rng)
    projection = _project(augmented.points, height, width)
    left = int(rng.integers(width - crop_width + 1))
    window = slice(left, left + crop_width)
    return normalize(projection.image)[:, :, window], label_image(projection, augmented.labels)[:, window]


def evaluation_sample(scan: LabelledScan, height: int, width: int) -> tuple[np.ndarray, Projection]:
    """A scan as it is: normalised image [5, H, W] float32, and the projection that leads back to the points."""
    projection = _project(scan.points, height, width)
    return normalize(projection.image), projection


def _project(points: np.ndarray, height: int, width: int) -> Projection:
    up, down = HDL64_FOV_DEG
    return project(points, height=height, width=width, fov_up_deg=up, fov_down_deg=down)
