"""Find objects in camera frames, with any exported detector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import DataAbsentError, UserError, require_known
from inference.detection import DetectorModel, describe
from inference.manifest import load_manifest
from nodes._model_session import SessionOptions
from pipeline.messages import CameraFrame, Detections

if TYPE_CHECKING:
    from models.detection.exported import ExportedDetector


class Detection:
    """One :class:`Detections` per frame: boxes in the frame's own pixels, inside it, best first; where nothing was
    found, none.

    ``counters``: ``objects``; of these, ``objects_of_other_classes`` are none of ``keep`` and left out.

    Args:
        model: folder of a detector, exported here or made by ``run.py import detector`` (``docs/detectors.md``).
        score_threshold: 0..1, what scores less is not an object; None: as the model's manifest says.
        nms_iou: 0..1, of two objects of a class that overlap by more the better one stays; None: as the manifest says.
        keep: names of the classes to report; none: all.
        backend, precision, allow_fallback, allow_failed_parity: see :func:`inference.auto.open_session`.
        threads: compute threads; 0: the available cores.
    """

    def __init__(
        self,
        model: str,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
        keep: Sequence[str] = (),
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        self.model = model
        self.score_threshold = score_threshold
        self.nms_iou = nms_iou
        self.keep = tuple(keep)
        self._options = SessionOptions(backend, precision, threads, allow_fallback, allow_failed_parity)
        self.counters: Counter[str] = Counter()

    @classmethod
    def check(
        cls,
        model: str,
        score_threshold: float | None = None,
        nms_iou: float | None = None,
        keep: Sequence[str] = (),
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        """Raise :class:`DataAbsentError` where there is no model folder, :class:`UserError` where it is damaged, of
        another kind, or its outputs do not fit its decoding; or where a parameter is wrong."""
        SessionOptions(backend, precision, threads).check("detection")
        for name, value in (("score_threshold", score_threshold), ("nms_iou", nms_iou)):
            if value is not None and not 0 <= value <= 1:
                raise UserError(f"detection: {name} is {value}; give a number of 0..1")
        if not Path(model).is_dir():
            raise DataAbsentError(
                f"{model}: no such folder; train a detector and export it there, or import one (docs/detectors.md)"
            )
        described = describe(model, load_manifest(model))
        for name in keep:
            require_known(f"detection: {model}: class", name, described.labels.names)
        _exported(model, described, score_threshold, nms_iou)

    def open(self) -> None:
        """Load the model and run all of it once."""
        self._session = self._options.open(self.model)
        described = describe(self.model, self._session.manifest)
        self._input = described.input.name
        self._class_names = described.labels.names
        self._kept_ids = [i for i, name in enumerate(self._class_names) if not self.keep or name in self.keep]
        self._detector = _exported(self.model, described, self.score_threshold, self.nms_iou)
        self.process(CameraFrame(image=np.zeros((described.profile.height, described.profile.width, 3), np.uint8)))
        self.counters.clear()

    def process(self, image: CameraFrame) -> Detections:
        """Find the objects of one frame.

        Raises:
            UserError: the graph's outputs are not what its manifest says.
            ValueError: they are not finite, or of a class that is not known.
        """
        picture, placed = self._detector.prepare(image.image)
        found = self._detector.objects(self._session.infer({self._input: picture}), placed)
        kept = np.isin(found.class_ids, self._kept_ids)
        self.counters["objects"] += len(kept)
        self.counters["objects_of_other_classes"] += int(len(kept) - kept.sum())
        return Detections(
            header=image.header,
            boxes=found.boxes[kept],
            scores=found.scores[kept],
            class_ids=found.class_ids[kept],
            class_names=self._class_names,
        )

    def close(self) -> None:
        """Close the session."""
        if hasattr(self, "_session"):
            self._session.close()


def _exported(
    folder: str, described: DetectorModel, score_threshold: float | None, nms_iou: float | None
) -> ExportedDetector:
    """What the graph needs around it, with the thresholds that were asked for.

    Raises:
        UserError: the graph's outputs do not fit the decoding.
    """
    from models.detection.exported import ExportedDetector

    asked = {"score_threshold": score_threshold, "nms_iou": nms_iou}
    changes = {name: value for name, value in asked.items() if value is not None}
    try:
        return ExportedDetector(**described.arguments() | changes)
    except UserError as error:
        raise UserError(f"{folder}: {error}") from error
