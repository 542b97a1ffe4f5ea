"""Annotated actions: ActivityNet's JSON, BMN's ``anet_anno_action.json`` and THUMOS' JSON.

- ActivityNet: ``{"database": {name: {"subset", "duration", "annotations": [{"segment", "label"}]}}}``. Simulated
  drives' ``actions.json`` is one.
- THUMOS-14 as it is passed on: the same without ``duration``, its times written as strings.
- BMN: ``{name: {"duration_second", "annotations": …}}``. The subsets are in ``video_info_new.csv`` beside it.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError, hint
from formats.json_files import entries, field, number, read_object
from formats.temporal.segments import PER_VIDEO, segment, segments_array

BMN_SUBSETS = "video_info_new.csv"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedVideo:
    """One video and its actions, in the order of the file.

    Attributes:
        duration_s: None where the file does not say (THUMOS).
        subset: such as ``validation``; None where there are no subsets.
        segments_s: [N, 2] float64. An action may be of no length, or end after the video: ActivityNet has both.
        labels: of N actions.
    """

    duration_s: float | None
    subset: str | None
    segments_s: np.ndarray
    labels: tuple[str, ...]


def read_annotations(path: Path) -> dict[str, AnnotatedVideo]:
    """Annotated videos by name, in the order of the file; names as they are there.

    Raises:
        UserError: no such file, empty, not JSON, none of the three layouts; the video and the annotation that are
            wrong, such as one that ends before it starts.
    """
    content = read_object(path, PER_VIDEO)
    if "results" in content:
        raise UserError(f"{path}: has predictions ('results'), not annotations; give it as --predictions")
    database = content.get("database", content)
    if not isinstance(database, dict) or not database:
        raise UserError(f"{path}: has no videos; give a file with at least one annotated video")
    if not any(isinstance(entry, dict) and "annotations" in entry for entry in database.values()):
        raise UserError(f"{path}: no video has 'annotations'; give ActivityNet's, BMN's or THUMOS' JSON")
    subsets = {} if "database" in content else _bmn_subsets(path.parent / BMN_SUBSETS)
    return {name: _video(entry, f"{path}: video {name!r}", subsets.get(name)) for name, entry in database.items()}


def of_subset(videos: Mapping[str, AnnotatedVideo], subset: str | None, path: Path) -> dict[str, AnnotatedVideo]:
    """The videos of one subset; None: all of them, where there is but one subset or none.

    ``path``: where the videos are from, for the error.

    Raises:
        UserError: no such subset, with the nearest; None where there are several; the file has none.
    """
    there = list(dict.fromkeys(video.subset for video in videos.values() if video.subset is not None))
    if subset is None and len(there) > 1:
        raise UserError(f"{path}: has the subsets {', '.join(there)}; choose one of them with --subset")
    if subset is None:
        return dict(videos)
    if not there:
        raise UserError(f"--subset {subset}: {path} has no subsets; leave --subset out")
    if subset not in there:
        raise UserError(f"--subset {subset}: {path} has no such subset; {hint(subset, there)}")
    return {name: video for name, video in videos.items() if video.subset == subset}


def _video(entry: Any, where: str, subset: str | None) -> AnnotatedVideo:
    segments, labels = [], []
    for index, annotation in enumerate(entries(field(entry, "annotations", where), f"{where}: 'annotations'")):
        this = f"{where}, annotation {index}"
        segments.append(segment(field(annotation, "segment", this), this))
        labels.append(str(field(annotation, "label", this)))
    duration, subset = entry.get("duration", entry.get("duration_second")), entry.get("subset", subset)
    return AnnotatedVideo(
        duration_s=None if duration is None else number(duration, f"{where}: its duration"),
        subset=None if subset is None else str(subset),
        segments_s=segments_array(segments),
        labels=tuple(labels),
    )


def _bmn_subsets(path: Path) -> dict[str, str]:
    """Subset by video; none where there is no such file."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["video"]: row["subset"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: is not BMN's list of videos with columns video and subset ({error!r})") from error
