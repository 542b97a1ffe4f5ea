"""Predicted segments in ActivityNet's result JSON: ``{"version", "results": {video: [{"score", "segment"}]}, …}``.

Proposals have a score and a segment, detected actions a ``label`` too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from errors import UserError
from formats.json_files import entries, field, number, read_object
from formats.temporal.segments import PER_VIDEO, segment, segments_array
from whole_files import write_whole

VERSION = "VERSION 1.3"  # what ActivityNet's evaluation server asks for


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Proposals:
    """The predicted segments of one video, best first.

    Attributes:
        segments_s: [K, 2] float64.
        scores: [K] float64, falling.
        labels: of K detected actions; None: proposals, which have none.
    """

    segments_s: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...] | None = None


def read_results(path: Path) -> dict[str, Proposals]:
    """Predictions by video, in the order of the file; equal scores stay in its order.

    Raises:
        UserError: no such file, empty, not JSON, no results; the video and the prediction that are wrong, or that
            has no label where others of its video have.
    """
    content = read_object(path, PER_VIDEO)
    if "results" not in content and "database" in content:
        raise UserError(f"{path}: has annotations ('database'), not predictions; give it as --annotations")
    results = field(content, "results", f"{path}: a result file of ActivityNet is needed, and this")
    if not isinstance(results, dict):
        raise UserError(f"{path}: 'results' is a JSON {type(results).__name__}; give an object with an entry per video")
    return {name: _proposals(value, f"{path}: video {name!r}") for name, value in results.items()}


def write_results(path: Path, results: Mapping[str, Proposals], *, external_data: str | None = None) -> None:
    """Write predictions, whole or not at all.

    ``external_data``: what beside the data set the predictions were learnt from, which ActivityNet wants told.

    Raises:
        UserError: it cannot be written.
    """
    content = {
        "version": VERSION,
        "results": {name: _entries(proposals) for name, proposals in results.items()},
        "external_data": {"used": external_data is not None, "details": external_data or ""},
    }
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place") from error


def _proposals(value: Any, where: str) -> Proposals:
    segments, scores, labels = [], [], []
    for index, entry in enumerate(entries(value, where)):
        this = f"{where}, prediction {index}"
        segments.append(segment(field(entry, "segment", this), this))
        scores.append(number(field(entry, "score", this), f"{this}: its score"))
        if "label" in entry:
            labels.append(str(entry["label"]))
    if labels and len(labels) != len(scores):
        raise UserError(f"{where}: {len(labels)} of {len(scores)} predictions have a label; give it to all or to none")
    order = np.argsort(-np.array(scores, np.float64), kind="stable")
    return Proposals(
        segments_s=segments_array(segments)[order],
        scores=np.array(scores, np.float64)[order],
        labels=tuple(labels[i] for i in order) if labels else None,
    )


def _entries(proposals: Proposals) -> list[dict[str, Any]]:
    pairs = zip(proposals.scores.tolist(), proposals.segments_s.tolist(), strict=True)
    found: list[dict[str, Any]] = [{"score": score, "segment": times} for score, times in pairs]
    for entry, label in zip(found, proposals.labels or (), strict=proposals.labels is not None):
        entry["label"] = label
    return found
