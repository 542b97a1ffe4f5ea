"""Drives of a few points, for trainings of a few steps."""

from pathlib import Path

import numpy as np

from formats.labels import load_label_table, write_labels


def make_drive(folder: Path, scans: int = 2, points: int = 6000) -> Path:
    """Road below, building around; a few points without a label."""
    table = load_label_table()
    for name in ("velodyne", "labels"):
        (folder / name).mkdir(parents=True)
    for i in range(scans):
        rng = np.random.default_rng(i)
        azimuth, elevation = rng.uniform(-np.pi, np.pi, points), np.radians(rng.uniform(-24, 2, points))
        road = elevation < np.radians(-8)
        distance = np.where(road, 1.7 / np.sin(np.abs(elevation) + 1e-6), 14)
        xyz = np.stack([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        scan = np.vstack([xyz * distance, np.where(road, 0.2, 0.5)]).T.astype("<f4")
        scan.tofile(folder / "velodyne" / f"{i:06d}.bin")
        classes = np.where(rng.random(points) < 0.05, 0, np.where(road, 9, 13))
        write_labels(folder / "labels" / f"{i:06d}.label", table.to_raw(classes))
    return folder


RECIPE = """
family: squeezesegv3
model: {layers: 21}
image: {height: 8, width: 64, crop_width: 32}
data: {validation: [held-out]}
length: 4 steps
batch: 2
optimiser: {name: adamw, learning_rate: 0.002}
schedule: {decay: cosine, warm_up: 2 steps}
loss: {class_weights: log}
save_every: 1 steps
validation: {every: 2 steps}
threads: 1
"""


def make_drives(folder: Path) -> Path:
    make_drive(folder / "street")
    make_drive(folder / "held-out", scans=1)
    return folder
