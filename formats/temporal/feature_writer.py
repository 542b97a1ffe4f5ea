"""Features of one video written as they come: ``NAME.npy`` [D, L] float32, and ``NAME.json``, which says what they are.

Both are there whole or not at all, and what is in memory does not grow with the video.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
import numpy as np

from errors import UserError


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What ``NAME.json`` says.

    Attributes:
        video, video_bytes: the file's name and size; of a recording of pictures, the folder's name and 0.
        model_sha256: of the graph that made them.
        precision: what it was computed in.
        dimension, snippets: D and L.
        snippet_s, step_s: what a snippet covers, and from one's start to the next one's. The first starts at 0, the
            video's first frame.
        duration_s: from the first frame to the end of the last one, which lasts as long as the one before.
        fps: frames per second, on average.
        frames, damaged_frames: that were used, and that could not be.
        repeated_samples: samples that showed the same frame as the one before, for want of a newer one.
    """

    video: str
    video_bytes: int
    model_sha256: str
    precision: str
    dimension: int
    snippets: int
    snippet_s: float
    step_s: float
    duration_s: float
    fps: float
    frames: int
    damaged_frames: int
    repeated_samples: int


def read_about(features: Path) -> About | None:
    """What is beside a feature file ``NAME.npy``; None where it is not there.

    Raises:
        UserError: it is there, and damaged.
    """
    path = features.with_suffix(".json")
    try:
        return msgspec.json.decode(path.read_bytes(), type=About)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: does not say what the features beside it are ({error}); remove both") from error


def snippet_times(features: Path, step_s: float | None, advice: str) -> tuple[float, float]:
    """Seconds from one snippet's start to the next one's, and that a snippet covers, of a feature file.

    Args:
        step_s: what the user says; None: as is written beside the file.
        advice: what the user could do, for the error: ``give --step-s SECONDS``.

    Raises:
        UserError: neither says it.
    """
    if step_s is not None:
        return step_s, step_s
    about = read_about(features)
    if about is None:
        raise UserError(f"{features}: nothing beside it says how long its snippets are; {advice}")
    return about.step_s, about.snippet_s


class FeatureWriter:
    """Writes ``path``, a ``.npy``, column by column; a context manager. Without :meth:`finish` nothing stays.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self._path, self._dimension, self.snippets = path, dimension, 0
        self._partial = path.with_name(f".{path.name}.partial")
        self._file: BinaryIO | None = None

    def __enter__(self) -> FeatureWriter:
        try:
            self._file = self._partial.open("wb")
            self._write_header(self._file)
        except OSError as error:
            raise self._problem(error) from error
        return self

    def add(self, features: np.ndarray) -> None:
        """Append the features [D] of the next snippet."""
        assert self._file is not None
        try:
            self._file.write(np.ascontiguousarray(features, "<f4").tobytes())
        except OSError as error:
            raise self._problem(error) from error
        self.snippets += 1

    def finish(self, about: About) -> None:
        """Both files come to be; an older pair is replaced."""
        assert self._file is not None
        says = self._path.with_suffix(".json")
        says_partial = says.with_name(f".{says.name}.partial")
        try:
            self._file.seek(0)
            self._write_header(self._file)
            self._file.close()
            says_partial.write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
            self._path.unlink(missing_ok=True)  # stopped from here on, there is no pair, never a mixed one
            says_partial.replace(says)
            self._partial.replace(self._path)
        except OSError as error:
            raise self._problem(error) from error
        finally:
            says_partial.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _write_header(self, file: BinaryIO) -> None:
        """A column per snippet in Fortran's order, so that they can be appended; NumPy leaves room for L to grow."""
        shape = (self._dimension, self.snippets)
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": True, "shape": shape})

    def _problem(self, error: OSError) -> UserError:
        return UserError(f"{self._path}: cannot be written: {error.strerror}")
