"""Write each scan's labels as a SemanticKITTI ``.label`` file."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np

from errors import UserError
from formats.labels import LabelTable, load_label_table, write_labels
from nodes._output import check_folder, make_folder
from pipeline.messages import FusedFrame

log = logging.getLogger(__name__)


class LabelSink:
    """``<out>/<name>.label`` per scan: one uint32 per point, the raw id of its class; instances are 0.

    Classes are matched to the label table by name. A scan without a name is called by its six-digit number. A scan
    without semantics is written too, all unlabelled, so that scans and label files stay in step; they are counted as
    ``scans_without_semantics``.

    Args:
        out: the folder to write to; it is made where it is missing.
        labels: a label table in the layout of ``semantic-kitti.yaml``; by default SemanticKITTI's own.
    """

    def __init__(self, out: str, labels: str = "") -> None:
        self.out = Path(out)
        self.labels = labels
        self.counters: Counter[str] = Counter()
        self._raw_ids: dict[tuple[str, ...], np.ndarray] = {}

    @classmethod
    def check(cls, out: str, labels: str = "") -> None:
        """Raise :class:`UserError` where the folder cannot be written or the table not be read."""
        check_folder(Path(out))
        load_label_table(labels or None)

    def open(self) -> None:
        """Make the folder, read the table."""
        make_folder(self.out)
        self._table = load_label_table(self.labels or None)

    def process(self, fused: FusedFrame) -> None:
        """Write one file; it appears whole or not at all. UserError names a class that the table does not have."""
        write_labels(self._path(fused), self._to_raw(fused))

    def _path(self, fused: FusedFrame) -> Path:
        name = fused.header.name or f"{fused.header.seq:06d}"
        if Path(name).name != name:
            raise ValueError(f"scan {name!r}: not a file name")
        return self.out / f"{name}.label"

    def _to_raw(self, fused: FusedFrame) -> np.ndarray:
        if not fused.class_names:
            self.counters["scans_without_semantics"] += 1
            if self.counters["scans_without_semantics"] == 1:
                log.warning("scan %s has no semantics: written as all unlabelled, as are any more", fused.header.name)
            return np.zeros(len(fused.labels), np.uint16)
        if fused.class_names not in self._raw_ids:
            self._raw_ids[fused.class_names] = raw_ids_by_name(fused.class_names, self._table)
        raw_ids = self._raw_ids[fused.class_names]
        if fused.labels.size and fused.labels.max() >= len(raw_ids):
            raise ValueError(f"label {fused.labels.max()} is out of range: there are {len(raw_ids)} classes")
        return raw_ids[fused.labels]


def raw_ids_by_name(class_names: tuple[str, ...], table: LabelTable) -> np.ndarray:
    """The raw id ``[C]`` uint16 of each class in ``class_names``. UserError where a name is not in the table."""
    raw_of = {name: raw for raw, name in table.raw_names.items()} | {"unlabelled": 0}
    unknown = [name for name in class_names if name not in raw_of]
    if unknown:
        raise UserError(
            f"the label table has no class {unknown[0]!r}; give label_sink a table (labels:) with the model's classes"
        )
    return np.array([raw_of[name] for name in class_names], np.uint16)
