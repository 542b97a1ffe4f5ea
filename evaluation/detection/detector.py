"""An exported detector, opened: pictures in, objects out."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from errors import UserError
from formats.detection.results import Result
from inference.auto import open_session
from inference.detection import describe
from models.detection.exported import ExportedDetector, Found

LEAST_SCORE = 0.01
"""What scores less is not scored: average precision asks for detections that nobody would show."""


class Detector:
    """A context manager; for one thread at a time.

    Args:
        folder: of a detector, exported or imported.
        least_score: 0..1, what scores less is not given; None: as the manifest says.
        backend, precision: see :func:`inference.auto.open_session`.

    Attributes:
        class_names: what the class ids mean.
        colors: of the classes, RGB, 0..255.
        description: what is run, in words.

    Raises:
        UserError: not a detector, or its outputs do not fit its decoding.
    """

    def __init__(
        self, folder: Path, *, least_score: float | None = None, backend: str = "auto", precision: str = "auto"
    ) -> None:
        self._session = open_session(folder, backend=backend, precision=precision)
        described = describe(folder, self._session.manifest)
        self._input = described.input.name
        arguments = described.arguments()
        if least_score is not None:
            arguments["score_threshold"] = least_score
        try:
            self._exported = ExportedDetector(**arguments)
        except UserError as error:
            self._session.close()
            raise UserError(f"{folder}: {error}") from error
        self.class_names, self.colors = described.labels.names, described.labels.colors
        session = self._session
        self.description = f"{session.backend} ({session.provider}) in {session.precision}: {session.choice.reason}"

    def find(self, image: np.ndarray) -> Found:
        """The objects of a picture, uint8 [H, W, 3] BGR, best first, in its pixels.

        Raises:
            UserError: the graph's outputs are not what its manifest says.
            ValueError: they are not finite, or of a class that is not known.
        """
        picture, placed = self._exported.prepare(image)
        return self._exported.objects(self._session.infer({self._input: picture}), placed)

    def results(self, found: Found, image_id: int, file_name: str | None = None) -> list[Result]:
        """What was found in a picture, as a file of results has it. Classes are numbered from 1."""
        corners = found.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()
        return [
            Result(
                image_id=image_id,
                category_id=class_id + 1,
                bbox=tuple(box),
                score=score,
                file_name=file_name,
                category=self.class_names[class_id],
            )
            for box, score, class_id in zip(boxes, found.scores.tolist(), found.class_ids.tolist(), strict=True)
        ]

    def __enter__(self) -> Detector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()
