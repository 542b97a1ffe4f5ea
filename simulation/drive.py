"""A simulated drive on disk, in the layout of SemanticKITTI's odometry sequences.

A folder holds ``velodyne/``, ``labels/`` and ``image_2/`` with one file a frame, ``calib.txt``, ``times.txt``,
``poses.txt`` and ``drive.json``, the drive's card. While a drive is being made its card is ``drive.json.part``; so a
folder with ``drive.json`` is whole. The same parameters give the same bytes, and frame k does not depend on how many
follow.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError
from simulation import rig
from simulation.camera import render as camera
from simulation.lidar import sweep as lidar
from simulation.scene import import_open3d
from simulation.street import Street

VERSION = 4  # of what is drawn: raise it when the same seed gives another drive
PERIOD_S = 0.1
_CARD, _UNFINISHED = "drive.json", "drive.json.part"
_FOLDERS = ("velodyne", "labels", "image_2")
_TEXTS = ("calib.txt", "times.txt", "poses.txt")


def simulate(
    out: Path,
    *,
    frames: int,
    seed: int,
    on_frame: Callable[[int], None] | None = None,
    images: bool = True,
) -> None:
    """Write a drive of ``frames`` frames (10 Hz) into the folder ``out``.

    A finished drive with the same parameters is kept as it is. ``on_frame(k)`` is called once frame k is on disk.
    Raises :class:`UserError` where ``out`` holds anything else or cannot be written, or Open3D is not installed.
    """
    out = Path(out)
    if is_finished(out, frames=frames, seed=seed, images=images):
        return
    open3d = import_open3d()
    street = Street(seed)
    card = {
        "parameters": _parameters(frames, seed, images),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "open3d": open3d.__version__},
        "sensors": {
            "lidar": {"beams": lidar.BEAMS, "columns": lidar.COLUMNS, "max_range_m": lidar.MAX_RANGE_M,
                      "mount_height_m": rig.LIDAR_HEIGHT_M, "range_noise_m": lidar.RANGE_NOISE_M},
            "camera": {"width": rig.WIDTH, "height": rig.HEIGHT, "focal_px": rig.FOCAL_PX},
            "period_s": PERIOD_S,
        },
        "street": asdict(street.plan),
    }  # fmt: skip
    try:
        for folder in _FOLDERS if images else _FOLDERS[:2]:
            (out / folder).mkdir(parents=True, exist_ok=True)
        _write(out / _UNFINISHED, json.dumps(card, indent=2).encode() + b"\n")
        poses = [street.lidar_pose(k * PERIOD_S) for k in range(frames)]
        _write(out / "calib.txt", _calib_text().encode())
        _write(out / "times.txt", "".join(f"{k * PERIOD_S:e}\n" for k in range(frames)).encode())
        _write(out / "poses.txt", _poses_text(poses).encode())
        for k in range(frames):
            _write_frame(out, street, k, images)
            if on_frame is not None:
                on_frame(k)
        (out / _UNFINISHED).replace(out / _CARD)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose another --out folder") from error


def is_finished(out: Path, *, frames: int, seed: int, images: bool = True) -> bool:
    """Whether ``out`` already holds exactly this drive; False where it is empty or absent.

    Raises :class:`UserError` for parameters out of range, and where ``out`` holds something else.
    """
    wanted = _parameters(frames, seed, images)
    try:
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return False
    except OSError as error:
        raise UserError(f"{out}: cannot be read ({error.strerror}); choose another --out folder") from error
    if not out.is_dir():
        raise UserError(f"{out}: is a file, not a folder; choose another --out folder")
    if (out / _UNFINISHED).exists():
        raise UserError(f"{out}: holds an unfinished simulated drive; remove it, choose another --out, or use --force")
    if not (out / _CARD).exists():
        raise UserError(f"{out}: is not empty and holds no simulated drive; choose another --out folder")
    try:
        found = json.loads((out / _CARD).read_text())["parameters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{out / _CARD}: is not the card of a simulated drive; choose another --out folder") from error
    if found == wanted:
        return True
    differing = [k for k in wanted if found.get(k) != wanted[k]]
    change = ", ".join(f"{k} {found.get(k)} instead of {wanted[k]}" for k in differing)
    raise UserError(f"{out}: holds another simulated drive ({change}); choose another --out, or use --force")


def discard_unless_finished(out: Path, *, frames: int, seed: int, images: bool = True) -> None:
    """Remove the simulated drive in ``out`` where it is unfinished or another one. Anything else is left alone."""
    _parameters(frames, seed, images)  # refuse wrong ones before anything is removed
    try:
        is_finished(out, frames=frames, seed=seed, images=images)
    except UserError:
        if not any((out / card).is_file() for card in (_CARD, _UNFINISHED)):
            raise
    else:
        return
    try:
        for name in _FOLDERS:
            if (out / name).exists():
                shutil.rmtree(out / name)
        for name in (*_TEXTS, _CARD, _UNFINISHED):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be cleared ({error.strerror}); choose another --out folder") from error


def _write_frame(out: Path, street: Street, frame: int, images: bool) -> None:
    moment = street.moment(frame * PERIOD_S)
    rng = np.random.default_rng([street.seed, frame])
    scan = lidar.scan(moment, rng)
    _write(out / "velodyne" / f"{frame:06d}.bin", scan.points.tobytes())
    _write(out / "labels" / f"{frame:06d}.label", scan.labels.tobytes())
    if images:
        import cv2

        picture = camera.render(moment, street.weather, street.settings.camera, rng)
        _, png = cv2.imencode(".png", picture.image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        _write(out / "image_2" / f"{frame:06d}.png", png.tobytes())


def _calib_text() -> str:
    """``calib.txt`` of a KITTI odometry sequence: P0..P3 and Tr."""
    rows = {**{f"P{i}": rig.projection(i) for i in range(4)}, "Tr": rig.LIDAR_TO_CAMERA[:3]}
    return "".join(f"{name}: {' '.join(f'{x:.12e}' for x in m.ravel())}\n" for name, m in rows.items())


def _poses_text(poses: list[np.ndarray]) -> str:
    """Camera 0's poses, each relative to the first frame: 12 numbers a line."""
    tr = rig.LIDAR_TO_CAMERA
    first = np.linalg.inv(poses[0])
    moved = (tr @ first @ pose @ np.linalg.inv(tr) for pose in poses)
    return "".join(" ".join(f"{x:.9e}" for x in m[:3].ravel()) + "\n" for m in moved)


def _write(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    part = path.with_name(path.name + ".tmp")
    part.write_bytes(data)
    part.replace(path)


def _parameters(frames: int, seed: int, images: bool) -> dict[str, Any]:
    """What a drive is made from; :class:`UserError` where a value is out of range."""
    if not 1 <= frames <= 1_000_000:
        raise UserError(f"--frames {frames}: must be from 1 to 1000000")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: must be from 0 to 2^63 - 1")
    return {"version": VERSION, "frames": frames, "seed": seed, "images": images}
