"""Small labelled recordings in SemanticKITTI's layout, made up point by point."""

from pathlib import Path

import numpy as np

from formats.labels import load_label_table, write_labels

TABLE = load_label_table()


def make_recording(folder: Path, scans: int = 2, points: int = 500, seed: int = 0, layout: str = "odometry") -> Path:
    """Random points 1 to 70 m away, of random classes 0..19. Some have no distance."""
    rng = np.random.default_rng(seed)
    velodyne = folder / ("velodyne" if layout == "odometry" else "velodyne_points/data")
    for made in (velodyne, folder / "labels"):
        made.mkdir(parents=True)
    for i in range(scans):
        azimuth, elevation = rng.uniform(-np.pi, np.pi, points), np.radians(rng.uniform(-25, 3, points))
        ground = np.cos(elevation)
        direction = np.column_stack([ground * np.cos(azimuth), ground * np.sin(azimuth), np.sin(elevation)])
        xyz = rng.uniform(1, 70, (points, 1)) * direction
        cloud = np.column_stack([xyz, rng.random(points)]).astype("<f4")
        cloud[::97, :3] = 0
        cloud[50::97, 0] = np.nan
        cloud.tofile(velodyne / f"{i:06d}.bin")
        write_labels(folder / "labels" / f"{i:06d}.label", TABLE.to_raw(rng.integers(0, 20, points)))
    return folder


def truth_of(folder: Path) -> np.ndarray:
    """The training classes of all points of a recording, scan after scan, [N]."""
    files = sorted((folder / "labels").glob("*.label"))
    return np.concatenate([TABLE.to_train(np.fromfile(file, "<u4") & 0xFFFF) for file in files])


def make_predictions(folder: Path, recording: Path, right: float = 0.6, seed: int = 1) -> np.ndarray:
    """A ``.label`` file for each scan: a share ``right`` of the points as they are, others of any class 0..19.

    Instances, in the upper half of each label, are noise. Returns the predicted classes, [N].
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    predicted = []
    for file in sorted((recording / "labels").glob("*.label")):
        truth = TABLE.to_train(np.fromfile(file, "<u4") & 0xFFFF)
        guess = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, 20, len(truth)))
        write_labels(folder / file.name, TABLE.to_raw(guess), rng.integers(0, 1 << 16, len(truth), dtype=np.uint16))
        predicted.append(guess)
    return np.concatenate(predicted)
