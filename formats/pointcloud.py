"""Point clouds: KITTI's ``.bin``, and ``.pcd`` and ``.ply`` through Open3D.

All give points ``[N, 4]`` float32: x y z in metres and remission, both as the file has them (remission 0 where it has
none); :func:`remission_scale` says how to bring remission to 0..1.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from errors import UserError
from formats import DamagedFileError

SUFFIXES = frozenset({".bin", ".pcd", ".ply"})

_POINT_BYTES = 16
_REMISSION_NAMES = ("remission", "intensity", "reflectivity", "reflectance", "scalar_intensity")
_HEADER_BYTES = 1 << 16
_PLY_BYTES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16"), 2),
    **dict.fromkeys(("int", "uint", "float", "int32", "uint32", "float32"), 4),
    **dict.fromkeys(("double", "float64"), 8),
}


class PointCloud(NamedTuple):
    """``points``: ``[N, 4]`` float32, x y z remission. ``has_remission``: False where the file has none."""

    points: np.ndarray
    has_remission: bool


def read_points(path: str | Path) -> PointCloud:
    """Read a point cloud of any of :data:`SUFFIXES`.

    Raises:
        DamagedFileError: unreadable, truncated or not of that format.
        UserError: ``.pcd`` or ``.ply``, and Open3D is not installed.
    """
    path = Path(path)
    if path.suffix.lower() == ".bin":
        return PointCloud(read_bin(path), has_remission=True)
    return _read_with_open3d(path)


def read_bin(path: str | Path) -> np.ndarray:
    """A KITTI scan: little-endian float32 x y z remission, nothing else. Returns ``[N, 4]`` float32.

    Raises:
        DamagedFileError: unreadable, or not a whole number of points.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) % _POINT_BYTES:
        raise DamagedFileError(
            f"{path}: {len(data)} bytes is not a whole number of {_POINT_BYTES}-byte points "
            "(x y z remission, float32); the file is damaged or is not a KITTI scan"
        )
    return np.frombuffer(data, "<f4").reshape(-1, 4).astype(np.float32, copy=False)


def remission_scale(remission: np.ndarray) -> float:
    """The factor that brings a scan's remission to 0..1: 1, or 1/255 or 1/65535 for integers of a sensor.

    Not finite values are left aside.

    Raises:
        ValueError: the values are no remission (negative, or beyond 65535).
    """
    finite = remission[np.isfinite(remission)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0.0 or high > 65535.0:
        raise ValueError(f"remission runs from {low:g} to {high:g}; are these points x y z remission?")
    return 1.0 if high <= 1.0 else 1.0 / 255.0 if high <= 255.0 else 1.0 / 65535.0


def require_open3d() -> None:
    """Raise a UserError where Open3D, which reads ``.pcd`` and ``.ply``, is not installed."""
    import importlib.util

    if importlib.util.find_spec("open3d") is None:
        raise UserError("reading .pcd and .ply files needs Open3D: pip install rangecast[sim]")


def _read_with_open3d(path: Path) -> PointCloud:
    require_open3d()
    import open3d

    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    # Open3D pads what is missing of a truncated file, or of y and z, with whatever was in memory: checked first.
    if problem := _pcd_damage(data) if path.suffix.lower() == ".pcd" else _ply_damage(data):
        raise DamagedFileError(f"{path}: {problem}")
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        try:
            cloud = open3d.t.io.read_point_cloud(path)
        except RuntimeError as error:
            raise DamagedFileError(f"{path}: {' '.join(str(error).split())}") from error
    fields = {name.lower(): cloud.point[name].numpy() for name in cloud.point}
    if "positions" not in fields:
        raise DamagedFileError(f"{path}: no points can be read from it; the file is damaged")
    name = next((name for name in _REMISSION_NAMES if name in fields), None)
    points = np.zeros((len(fields["positions"]), 4), np.float32)
    points[:, :3] = fields["positions"]
    if name is not None:
        points[:, 3] = fields[name].reshape(-1)
    return PointCloud(points, has_remission=name is not None)


def _pcd_damage(data: bytes) -> str | None:
    """What is missing of a PCD file; compressed ones are left to Open3D, which notices."""
    header, found, body = data[:_HEADER_BYTES].partition(b"\nDATA ")
    kind, _, _ = body.partition(b"\n")
    entries = {line.split()[0]: line.split()[1:] for line in header.splitlines() if line.split()}
    if not found or not {b"FIELDS", b"SIZE", b"POINTS"} <= entries.keys():
        return "not a PCD file (no FIELDS, SIZE, POINTS and DATA)"
    if not {b"x", b"y", b"z"} <= set(entries[b"FIELDS"]):
        return "no fields x, y and z"
    content = data[len(header) + len(found) + len(kind) + 1 :]
    try:
        points = int(entries[b"POINTS"][0])
        counts = [int(count) for count in entries.get(b"COUNT", [b"1"] * len(entries[b"SIZE"]))]
        point_bytes = sum(int(size) * count for size, count in zip(entries[b"SIZE"], counts, strict=True))
    except (ValueError, IndexError):
        return "not a PCD file (SIZE, COUNT or POINTS are not numbers that fit each other)"
    if kind.strip() == b"binary":
        return _shortfall(len(content), points * point_bytes, "bytes")
    if kind.strip() == b"ascii":
        return _shortfall(_rows(content, sum(counts)), points, "points")
    return None


def _ply_damage(data: bytes) -> str | None:
    """What is missing of the vertices of a PLY file."""
    header, found, _ = data[:_HEADER_BYTES].partition(b"end_header")
    lines = [line.split() for line in header.decode("ascii", "replace").splitlines()]
    if not found or lines[:1] != [["ply"]]:
        return "not a PLY file (no header)"
    kind = next((line[1] for line in lines if line[:1] == ["format"] and len(line) == 3), None)
    elements = [index for index, line in enumerate(lines) if line[:1] == ["element"]]
    if kind is None or not elements or lines[elements[0]][1:2] != ["vertex"]:
        return "not a PLY point cloud (no format, or the first element is not vertex)"
    vertex = lines[elements[0] : elements[1] if len(elements) > 1 else None]
    properties = [line for line in vertex if line[:1] == ["property"]]
    try:
        points, point_bytes = int(vertex[0][2]), sum(_PLY_BYTES[line[1]] for line in properties)
    except (ValueError, IndexError, KeyError):
        return "not a PLY point cloud (a vertex must be a number of plain properties)"
    if not {"x", "y", "z"} <= {line[-1] for line in properties}:
        return "no properties x, y and z"
    content = data[len(header) + len(found) :].partition(b"\n")[2]
    if kind == "ascii":
        return _shortfall(_rows(content, len(properties)), points, "points")
    return _shortfall(len(content), points * point_bytes, "bytes")


def _rows(text: bytes, columns: int) -> int:
    """How many lines hold a point; the last one counts only with all its columns."""
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) - (1 if lines and len(lines[-1].split()) < columns else 0)


def _shortfall(found: int, expected: int, unit: str) -> str | None:
    return f"truncated: {found} of {expected} {unit}" if found < expected else None
