"""Projection and KNN vote of one scan, side by side with plain NumPy, in one run.

    python -m profiling.range_view SCAN.bin [SCAN.bin ...]

Prints the median of each and the ratio. The versions take turns on the same scan, so that what else the machine does
falls on all of them alike.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from formats.pointcloud import read_bin
from models.range_view.knn import inverse_gaussian, refine
from models.range_view.projection import project
from models.range_view.settings import HDL64_FOV_DOWN_DEG, HDL64_FOV_UP_DEG
from profiling.interleaved import interleave

ROUNDS = 20
HEIGHT, FOV_UP_DEG, FOV_DOWN_DEG = 64, HDL64_FOV_UP_DEG, HDL64_FOV_DOWN_DEG


def project_with_a_sort(points: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The projection as it is commonly written: the formula on whole arrays, then the nearest point written last."""
    x, y, z = points[:, :3].T.astype(np.float64)
    r = np.sqrt(x * x + y * y + z * z)
    up, down = math.radians(FOV_UP_DEG), math.radians(FOV_DOWN_DEG)
    u = 0.5 * (1 - np.arctan2(y, x) / np.pi) * width
    v = (1 - (np.arcsin(z / r) - down) / (up - down)) * HEIGHT
    column = np.clip(np.floor(u), 0, width - 1).astype(np.int32)
    row = np.clip(np.floor(v), 0, HEIGHT - 1).astype(np.int32)
    pixel = row * width + column
    order = np.argsort(r)[::-1]
    image = np.full((5, HEIGHT * width), -1, np.float32)
    image[0, pixel[order]] = r[order]
    image[1:, pixel[order]] = points[order].T
    return image.reshape(5, HEIGHT, width), pixel, r.astype(np.float32)


def vote_on_whole_arrays(
    labels: np.ndarray, ranges: np.ndarray, pixel: np.ndarray, own_range: np.ndarray, k: int
) -> np.ndarray:
    """The KNN vote (window k × k, k neighbours) with every window unfolded, as RangeNet++'s tensors do it."""
    pad = k // 2
    windows = np.lib.stride_tricks.sliding_window_view
    own_labels = windows(np.pad(labels, pad), (k, k)).reshape(-1, k * k)[pixel]
    own_ranges = windows(np.pad(np.where(ranges < 0, np.inf, ranges), pad), (k, k)).reshape(-1, k * k)[pixel]
    distances = np.abs(own_ranges - own_range[:, None]) * inverse_gaussian(k, 1.0).reshape(-1)
    distances[:, k * k // 2] = 0
    chosen = np.argpartition(distances, k - 1, axis=1)[:, :k]
    voters = np.take_along_axis(own_labels, chosen, 1)
    voters[np.take_along_axis(distances, chosen, 1) > 1.0] = 0
    votes = np.stack([(voters == label).sum(1, dtype=np.uint8) for label in range(1, 20)], axis=1)
    return np.where(votes.any(1), votes.argmax(1) + 1, 0).astype(np.uint8)


def patches(image: np.ndarray) -> np.ndarray:
    """Stand-in for a network's labels, [H, W] uint8: classes in patches that follow the range, as objects do."""
    return (1 + np.digitize(image[0], np.geomspace(3, 60, 17))).astype(np.uint8)


def compare(
    what: str, points: np.ndarray, numpy_version: Callable[[np.ndarray], object], ours: Callable[[np.ndarray], object]
) -> None:
    found = interleave({"NumPy": numpy_version, "numba": ours}, [points] * (1 + ROUNDS))
    numpy_ms, numba_ms = found["NumPy"].median_ms, found["numba"].median_ms
    print(f"{what:28s} {numpy_ms:9.2f} ms {numba_ms:8.2f} ms {numpy_ms / numba_ms:6.1f}x")


def profile(points: np.ndarray) -> None:
    print(f"{len(points)} points".ljust(28), "    NumPy       numba     ratio")
    for width in (512, 2048):
        sensor = {"height": HEIGHT, "width": width, "fov_up_deg": FOV_UP_DEG, "fov_down_deg": FOV_DOWN_DEG}
        compare(
            f"projection {HEIGHT}×{width}",
            points,
            lambda points, width=width: project_with_a_sort(points, width),
            lambda points, sensor=sensor: project(points, **sensor),
        )
        image, pixel, own_range, _ = project(points, **sensor)
        labels = patches(image)
        for k in (5, 7):
            compare(
                f"KNN {k}×{k}, {k} neighbours",
                points,
                lambda _, k=k: vote_on_whole_arrays(labels, image[0], pixel, own_range, k),  # noqa: B023
                lambda _, k=k: refine(labels, image[0], pixel, own_range, knn=k, search=k),  # noqa: B023
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m profiling.range_view", description=__doc__.split("\n", 1)[0])
    parser.add_argument("scans", type=Path, nargs="+", help="KITTI scans (.bin)")
    for path in parser.parse_args().scans:
        print(path)
        profile(read_bin(path))


if __name__ == "__main__":
    main()
