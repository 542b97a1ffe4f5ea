"""Labelled LiDAR scans as training samples: windows of range images, augmented."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from errors import require_known
from formats.labelled_scans import LabelledScan, ScanFiles, read_classes
from formats.labels import LabelTable
from models.range_view.labels import label_image
from models.range_view.normalize import normalize
from models.range_view.projection import Projection, project
from models.range_view.settings import HDL64_FOV_DOWN_DEG, HDL64_FOV_UP_DEG
from training.pasting import Things
from training.recipe import NotNegative, Settings, Share


class Augmentation(Settings, kw_only=True):
    """How far a training window may be from the scan it comes from. The defaults suit a vehicle that follows its road:
    its surroundings keep their heading, give or take a bend.

    ``yaw_deg``: deviation of the heading; in the share ``any_yaw`` of all windows it is any. ``mirror``: left and
    right. ``tilt_deg``, ``height_m``: deviation of pitch and roll, and of the sensor's height. ``scale``: of all
    distances, at most. ``range_noise_m``: deviation along the beam, at most. ``drop``: share of points left out, at
    most. ``remission_spread``: deviation of the logarithms of a gamma and of a gain; ``remission_noise``: deviation, at
    most; in the share ``remission_blind`` of all windows it is one value everywhere. ``balanced``: share of windows
    that look at a point of a class drawn among those of the scan, so that rare classes are seen. ``paste``: of classes,
    by name, how many objects of other scans are put into a window on average (:mod:`training.pasting`).
    """

    yaw_deg: NotNegative = 8.0
    any_yaw: Share = 0.1
    mirror: bool = True
    tilt_deg: NotNegative = 0.5
    height_m: NotNegative = 0.05
    scale: Share = 0.02
    range_noise_m: NotNegative = 0.02
    drop: Share = 0.15
    remission_spread: NotNegative = 0.25
    remission_noise: NotNegative = 0.03
    remission_blind: Share = 0.1
    balanced: Share = 0.5
    rough_m: dict[str, NotNegative] = msgspec.field(default_factory=dict)
    paste: dict[str, NotNegative] = msgspec.field(default_factory=dict)


class ClassTraits(NamedTuple):
    """What augmentation knows of each class. ``rough_m``, ``paste`` [C]: see :class:`Augmentation`. ``interest`` [C]:
    how likely a window looks at it, beside the others of its scan."""

    rough_m: np.ndarray
    paste: np.ndarray
    interest: np.ndarray

    @classmethod
    def of(cls, how: Augmentation, names: Sequence[str], frequencies: np.ndarray) -> ClassTraits:
        """Of classes of these names and shares of all points ([C]; :func:`class_frequencies`).

        Raises:
            UserError: ``how.rough_m`` or ``how.paste`` has a name that is none of ``names``.
        """
        for key, values in (("rough_m", how.rough_m), ("paste", how.paste)):
            for name in values:
                require_known(f"augmentation.{key}: class", name, names)
        # The square root, between "as often as there are points" and "all alike": one truck in six scans would then be
        # looked at as rarely as it is there.
        interest = 1 / np.sqrt(np.maximum(frequencies, 1e-5))
        rough_m, paste = (np.array([values.get(name, 0.0) for name in names]) for values in (how.rough_m, how.paste))
        return cls(rough_m, paste, interest)


def class_frequencies(scans: Iterable[ScanFiles], table: LabelTable) -> np.ndarray:
    """Share of each training class among the points: [C] float64, adds up to 1."""
    counts = np.zeros(len(table.names))
    for scan in scans:
        counts += np.bincount(read_classes(scan.labels, table), minlength=len(counts))
    return counts / counts.sum()


def augment(
    scan: LabelledScan,
    rng: np.random.Generator,
    how: Augmentation,
    yaw_rad: float,
    mirror: int,
    rough_m: np.ndarray,
) -> LabelledScan:
    """Another scan that could have been: mirrored (``mirror`` −1), turned, tilted, noisier, thinner, with another
    laser's remission. ``rough_m`` [C]: see :class:`ClassTraits`."""
    keep = rng.random(len(scan.points)) >= rng.uniform(0, how.drop)
    points, labels = scan.points[keep], scan.labels[keep]
    xyz, remission = points[:, :3], points[:, 3]

    pitch, roll = rng.normal(0, np.radians(how.tilt_deg), 2)
    turn = _rotation(yaw_rad, pitch, roll) @ np.diag([1, mirror, 1])
    xyz = np.einsum("nj,ij->ni", xyz, turn.astype(np.float32))
    xyz[:, 2] += rng.normal(0, how.height_m)
    range_m = np.sqrt(np.einsum("ni,ni->n", xyz, xyz))
    noise_m = rng.normal(0, rng.uniform(0, how.range_noise_m), len(xyz))
    if rough_m.any():
        # Laplace: most returns come from near the surface, a few from far behind or before it. Variance 2·scale².
        noise_m += rng.laplace(0, rng.uniform(0, rough_m / np.sqrt(2))[labels])
    xyz *= ((1 + noise_m / np.maximum(range_m, 0.5)) * (1 + rng.uniform(-how.scale, how.scale)))[:, None]

    if rng.random() < how.remission_blind:
        remission = np.full_like(remission, rng.uniform(0, 0.6))
    else:
        gamma, gain = np.exp(rng.normal(0, how.remission_spread, 2))
        noise = rng.normal(0, rng.uniform(0, how.remission_noise), len(remission))
        remission = remission**gamma * gain + noise
    points = np.column_stack([xyz, np.clip(remission, 0, 1)]).astype(np.float32)
    return LabelledScan(points, labels)


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    return (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )


def training_sample(
    scan: LabelledScan,
    rng: np.random.Generator,
    height: int,
    width: int,
    crop_width: int,
    how: Augmentation,
    traits: ClassTraits,
    things: Things | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """An augmented window of a scan's range image: normalised image [5, H, w] float32, labels [H, w] uint8.

    ``things``: what ``traits.paste`` takes its objects from.
    """
    yaw_rad = rng.uniform(-np.pi, np.pi) if rng.random() < how.any_yaw else rng.normal(0, np.radians(how.yaw_deg))
    mirror = int(rng.choice([-1, 1])) if how.mirror else 1
    azimuth = np.arctan2(scan.points[:, 1], scan.points[:, 0])

    # Where to look, as the augmented scan has it; then only that part of the scan is augmented and projected.
    wanted = mirror * _interesting_azimuth(azimuth, scan.labels, rng, how.balanced, traits.interest) + yaw_rad
    column = 0.5 * (1 - _wrapped(wanted) / np.pi) * width + rng.uniform(-0.35, 0.35) * crop_width
    left = int(np.clip(column - crop_width / 2, 0, width - crop_width))
    centre = mirror * ((1 - 2 * (left + crop_width / 2) / width) * np.pi - yaw_rad)
    half = np.pi * crop_width / width
    near = np.abs(_wrapped(azimuth - centre)) < half + np.radians(5)
    part = LabelledScan(scan.points[near], scan.labels[near]) if crop_width < width else scan
    if things is not None:
        part = things.paste_into(part, rng, traits.paste, centre, half)

    augmented = augment(part, rng, how, yaw_rad, mirror, traits.rough_m)
    projection = _project(augmented.points, height, width)
    window = slice(left, left + crop_width)
    return normalize(projection.image)[:, :, window], label_image(projection, augmented.labels)[:, window]


def _interesting_azimuth(
    azimuth: np.ndarray, labels: np.ndarray, rng: np.random.Generator, balanced: float, interest: np.ndarray
) -> float:
    """Any azimuth; in the share ``balanced`` of all cases that of a point, of a class drawn among those there are."""
    classes = np.unique(labels[labels > 0])
    if rng.random() >= balanced or not len(classes):
        return float(rng.uniform(-np.pi, np.pi))
    likely = interest[classes] / interest[classes].sum()
    return float(rng.choice(azimuth[labels == rng.choice(classes, p=likely)]))


def _wrapped(angle: np.ndarray | float) -> np.ndarray | float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def evaluation_sample(scan: LabelledScan, height: int, width: int) -> tuple[np.ndarray, Projection]:
    """A scan as it is: normalised image [5, H, W] float32, and the projection that leads back to the points."""
    projection = _project(scan.points, height, width)
    return normalize(projection.image), projection


def _project(points: np.ndarray, height: int, width: int) -> Projection:
    return project(points, height=height, width=width, fov_up_deg=HDL64_FOV_UP_DEG, fov_down_deg=HDL64_FOV_DOWN_DEG)
