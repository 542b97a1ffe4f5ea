"""Annotated videos with their features."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from errors import UserError
from formats.temporal.annotations import AnnotatedVideo
from formats.temporal.feature_writer import snippet_times
from formats.temporal.features import SUFFIXES, feature_file, read_features
from models.bcgnn.segments import location_times
from models.bcgnn.windows import rescaled
from training.proposals.recipe import WindowSettings


class Video(NamedTuple):
    """``features`` [D, L] float32 and ``times_s`` [L] float64, the middles of snippets, ``step_s`` apart; L is the
    window's length where videos are rescaled. ``annotated_s`` [G, 2] float64 is the truth as annotated."""

    name: str
    features: np.ndarray
    times_s: np.ndarray
    step_s: float
    annotated_s: np.ndarray

    @property
    def actions_s(self) -> np.ndarray:
        """The actions that can be learnt: cut to the video, without those of which nothing is left."""
        half_s = self.step_s / 2
        cut = np.clip(self.annotated_s, self.times_s[0] - half_s, self.times_s[-1] + half_s)
        return cut[cut[:, 0] < cut[:, 1]]


def read_videos(
    annotated: Mapping[str, AnnotatedVideo], folder: Path, dimension: int, settings: WindowSettings
) -> tuple[list[Video], list[str]]:
    """Read the features of annotated videos. All of them stay in memory.

    Args:
        annotated: by name.
        folder: of the feature files.
        dimension: D.

    Returns:
        The videos, and the names of those without features.

    Raises:
        UserError: a file that is damaged or of another dimension; a video whose times are not known.
    """
    there = {name: video for name, video in annotated.items() if _has_features(folder, name)}
    shown = track(
        there.items(), "reading features", transient=True, disable=os.environ.get("RANK", "0") != "0", total=len(there)
    )
    videos = [_read(name, video, folder, dimension, settings) for name, video in shown]
    return videos, [name for name in annotated if name not in there]


def _has_features(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").is_file() for suffix in SUFFIXES)


def _read(name: str, video: AnnotatedVideo, folder: Path, dimension: int, settings: WindowSettings) -> Video:
    path = feature_file(folder, name)
    features = read_features(path, dimension)
    if settings.style == "sliding":
        step_s, snippet_s = snippet_times(path, settings.step_s, "give --set windows.step_s=SECONDS")
        times_s = snippet_s / 2 + step_s * np.arange(features.shape[1])
        return Video(name, features, times_s, step_s, video.segments_s)
    if video.duration_s is None or not video.duration_s > 0:
        raise UserError(f"{path}: the annotations do not say how long video {name!r} is; rescaled windows need that")
    step_s = video.duration_s / settings.length
    times_s = location_times(settings.length, step_s=step_s)
    return Video(name, rescaled(features, settings.length), times_s, step_s, video.segments_s)
