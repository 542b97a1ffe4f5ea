"""Score predictions on labelled scans: one scan in memory and one being read ahead, however long the sequence is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from errors import UserError
from evaluation.segmentation.predictors import Predictor
from evaluation.segmentation.protocol import DISTANCE_EDGES_M, confusion_by_distance
from formats.labelled_scans import LabelledScan, ScanFiles, read_scan
from formats.labels import LabelTable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted:
    """``frames`` per sequence; ``by_distance`` as :func:`evaluation.segmentation.protocol.confusion_by_distance`."""

    frames: dict[str, int]
    by_distance: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """Of all points: [classes, classes] int64, true class by row."""
        return self.by_distance.sum(axis=0)


def count(
    scans: Sequence[ScanFiles],
    predictor: Predictor,
    table: LabelTable,
    on_scan: Callable[[], None] = lambda: None,
) -> Counted:
    """Compare the predictions with the truth, scan by scan.

    Raises:
        UserError: a file that cannot be used, by name; or no point of all has a label.
    """
    classes = len(table.names)
    frames: dict[str, int] = {}
    by_distance = np.zeros((len(DISTANCE_EDGES_M), classes, classes), np.int64)
    for files, scan in _read_ahead(scans, table):
        predicted = predictor.predict(files, scan.points)
        by_distance += confusion_by_distance(scan.labels, predicted, scan.points, classes)
        frames[files.sequence] = frames.get(files.sequence, 0) + 1
        on_scan()
    if not by_distance[:, 1:].any():
        raise UserError(f"{scans[0].labels.parent}: no point has a label; there is no truth to score by")
    return Counted(frames=frames, by_distance=by_distance)


def _read_ahead(scans: Sequence[ScanFiles], table: LabelTable) -> Iterator[tuple[ScanFiles, LabelledScan]]:
    """Each scan with its content; the next one is read while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        upcoming = reader.submit(read_scan, scans[0], table)
        for files, after in zip(scans, [*scans[1:], None], strict=True):
            scan = upcoming.result()
            if after is not None:
                upcoming = reader.submit(read_scan, after, table)
            yield files, scan
