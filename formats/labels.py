"""Labels of point clouds: the SemanticKITTI label table and its ``.label`` files.

A ``.label`` file holds one little-endian uint32 per point, in the order of the scan: the class in the lower 16 bits,
the instance in the upper 16 (Behley et al., *SemanticKITTI*, ICCV 2019).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from errors import UserError
from formats import DamagedFileError
from whole_files import replacing

SEMANTIC_KITTI = Path(__file__).resolve().parent.parent / "configs" / "labels" / "semantic-kitti.yaml"

_UNKNOWN = -1


class LabelTable(msgspec.Struct, frozen=True, kw_only=True):
    """The raw ids of a data set and the classes a network learns. Colours are RGB.

    ``names``, ``colors_rgb``, ``frequencies`` (shares of the points of the training data) and ``ignored``
    have one entry per training class; class 0 is unlabelled. ``splits`` are sequence numbers.
    """

    names: tuple[str, ...]
    colors_rgb: tuple[tuple[int, int, int], ...]
    frequencies: tuple[float, ...]
    ignored: tuple[bool, ...]
    raw_names: dict[int, str]
    raw_colors_rgb: dict[int, tuple[int, int, int]]
    splits: dict[str, tuple[int, ...]]
    raw_to_train: np.ndarray
    """``[65536]`` int16: the training class of each possible raw id, -1 where the table does not have it."""
    train_to_raw: np.ndarray
    """``[C]`` uint16: the raw id as which each training class is written."""

    def to_train(self, raw_ids: np.ndarray) -> np.ndarray:
        """Training classes (uint8) of raw ids (any integer type, any shape). An id not in the table is a UserError."""
        return self._look_up(self.raw_to_train, raw_ids, "raw label").astype(np.uint8)

    def to_raw(self, train_ids: np.ndarray) -> np.ndarray:
        """Raw ids (uint16) of training classes (any integer type, any shape). An id out of range is a UserError."""
        return self._look_up(self.train_to_raw, train_ids, "training class")

    @staticmethod
    def _look_up(table: np.ndarray, ids: np.ndarray, what: str) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.size and (ids.min() < 0 or ids.max() >= len(table)):
            wrong = ids[(ids < 0) | (ids >= len(table))].flat[0]
            raise UserError(f"{what} {wrong} is not in the label table; use the table these labels were made with")
        found = table[ids]
        if found.size and found.min() == _UNKNOWN:
            wrong = ids[found == _UNKNOWN].flat[0]
            raise UserError(f"{what} {wrong} is not in the label table; use the table these labels were made with")
        return found


def load_label_table(path: str | Path | None = None) -> LabelTable:
    """Read a label table in the layout of the benchmark's ``semantic-kitti.yaml``; by default the one shipped here.

    Raises:
        UserError: the file is not there, is not YAML, or its sections do not fit each other.
    """
    import yaml

    path = SEMANTIC_KITTI if path is None else Path(path)
    try:
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no such label table: {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as a label table: {' '.join(str(error).split())}") from error
    try:
        return _table(sections)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path}: not a label table like {SEMANTIC_KITTI}: {problem}") from error


def _table(sections: dict[str, Any]) -> LabelTable:
    learning_map, inverse = sections["learning_map"], sections["learning_map_inv"]
    raw_names, content = sections["labels"], sections["content"]
    raw_colors = {raw: (int(red), int(green), int(blue)) for raw, (blue, green, red) in sections["color_map"].items()}
    classes = range(len(inverse))
    if unused := set(learning_map.values()) - set(classes):
        raise ValueError(f"learning_map leads to class {min(unused)}, which learning_map_inv does not have")
    if unnamed := set(learning_map) - set(raw_names):
        raise ValueError(f"learning_map has id {min(unnamed)}, which labels does not have")
    frequencies = [0.0] * len(classes)
    raw_to_train = np.full(1 << 16, _UNKNOWN, np.int16)
    for raw, train in learning_map.items():
        raw_to_train[raw] = train
        frequencies[train] += float(content[raw])
    # A class is named after the raw id it is written as.
    return LabelTable(
        names=tuple(str(raw_names[inverse[c]]) for c in classes),
        colors_rgb=tuple(raw_colors[inverse[c]] for c in classes),
        frequencies=tuple(frequencies),
        ignored=tuple(bool(sections["learning_ignore"][c]) for c in classes),
        raw_names=dict(raw_names),
        raw_colors_rgb=raw_colors,
        splits={name: tuple(sequences) for name, sequences in sections["split"].items()},
        raw_to_train=raw_to_train,
        train_to_raw=np.array([inverse[c] for c in classes], np.uint16),
    )


def read_labels(path: str | Path, point_count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Raw class and instance of each point: two uint16 arrays ``[N]``.

    ``point_count``: the number of points of the scan, where it is known.

    Raises:
        DamagedFileError: not a whole number of labels, or not ``point_count`` of them.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) % 4:
        raise DamagedFileError(f"{path}: {len(data)} bytes is not a whole number of 4-byte labels; the file is damaged")
    words = np.frombuffer(data, "<u4")
    if point_count is not None and len(words) != point_count:
        raise DamagedFileError(
            f"{path}: {len(words)} labels for a scan of {point_count} points; they do not belong together"
        )
    return (words & 0xFFFF).astype(np.uint16), (words >> 16).astype(np.uint16)


def write_labels(path: str | Path, raw_ids: np.ndarray, instances: np.ndarray | None = None) -> None:
    """Write raw classes ``[N]``, and instances ``[N]`` where there are any, as a ``.label`` file.

    The file appears whole or not at all: whoever reads the folder meanwhile never sees half of it.
    """
    path = Path(path)
    words = _uint16(raw_ids, "raw ids").astype("<u4")
    if instances is not None:
        upper = _uint16(instances, "instances")
        if upper.shape != words.shape:
            raise ValueError(f"{len(upper)} instances for {len(words)} points")
        words |= upper.astype("<u4") << np.uint32(16)
    try:
        with replacing(path) as partial:
            partial.write_bytes(words.tobytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _uint16(values: np.ndarray, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "ui":
        raise ValueError(f"{what}: expected integers [N], got {values.dtype}{list(values.shape)}")
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise ValueError(f"{what}: {values.min()}..{values.max()} does not fit in 16 bits")
    return values
