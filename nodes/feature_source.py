"""Source of snippet features that somebody has already made: one file per video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from errors import UserError
from formats.temporal.feature_writer import snippet_times
from formats.temporal.features import read_features
from inference.bcgnn import describe, require_step
from inference.manifest import load_manifest
from pipeline.messages import Header, SnippetFeatures


class FeatureSource:
    """Plays the features of one video as if it were running: each snippet when it is over.

    Args:
        path: a ``.npy`` or ``.csv`` file, see :mod:`formats.temporal.features`.
        model: folder of the exported bcgnn model that is to take them: it says how many values a snippet has.
        step_s: seconds from one snippet to the next, each as long. None: as ``run.py features`` wrote beside the file.
    """

    def __init__(self, path: str, model: str, step_s: float | None = None) -> None:
        self.path = path
        self.model = model
        self.step_s = step_s
        self._after_seq = -1

    @classmethod
    def check(cls, path: str, model: str, step_s: float | None = None) -> None:
        """Raise :class:`UserError` where the file is no features, not features of the model, of unknown times, or of a
        snippet as often as the model does not know it."""
        if step_s is not None and not 0 < step_s < math.inf:
            raise UserError(f"feature_source: step_s is {step_s}; give the seconds from one snippet to the next")
        _read(path, model)
        require_step(model, describe(model, load_manifest(model)).windows, _times(path, step_s)[0])

    def resume(self, after_seq: int) -> None:
        """Go on behind this snippet."""
        self._after_seq = after_seq

    def messages(self) -> Iterator[SnippetFeatures]:
        """One message per snippet, stamped with its end."""
        step_s, snippet_s = _times(self.path, self.step_s)
        for number, features in enumerate(_read(self.path, self.model).T):
            if number > self._after_seq:
                end_s = number * step_s + snippet_s
                yield SnippetFeatures(
                    header=Header(stamp_ns=round(end_s * 1e9), name=f"{number:06d}"),
                    features=np.ascontiguousarray(features),
                    start_s=number * step_s,
                    end_s=end_s,
                )


def _read(path: str, model: str) -> np.ndarray:
    """[D, L] float32."""
    return read_features(Path(path), describe(model, load_manifest(model)).dimension)


def _times(path: str, step_s: float | None) -> tuple[float, float]:
    return snippet_times(Path(path), step_s, "set feature_source's step_s")
