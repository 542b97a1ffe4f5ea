"""Labelled range images (.npz of xyz_remission_range [H, W, 5] and label [H, W], training classes) as a recording.

    python tools/range_images_to_scans.py FOLDER --out RECORDING

Each pixel becomes a point, so the scans are as sparse as the images; training and evaluation read them as any other.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from formats.labels import load_label_table, write_labels  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    files = sorted(given.folder.glob("*.npz"))
    if not files:
        sys.exit(f"error: {given.folder}: no .npz files")
    table = load_label_table()
    for name in ("velodyne", "labels"):
        (given.out / name).mkdir(parents=True, exist_ok=True)
    for i, file in enumerate(files):
        with np.load(file) as arrays:
            image, labels = arrays["xyz_remission_range"], arrays["label"]
        seen = image[..., 4] > 0
        image[seen][:, :4].astype("<f4").tofile(given.out / "velodyne" / f"{i:06d}.bin")
        write_labels(given.out / "labels" / f"{i:06d}.label", table.to_raw(labels[seen]))
    print(f"{given.out}: {len(files)} scans")


if __name__ == "__main__":
    main()
