"""Annotations of many videos in one file with subsets, as training and evaluation take them.

``python -m formats.temporal.gather --training VIDEO... --validation VIDEO... --out annotations.json`` writes
ActivityNet's JSON. A VIDEO is a simulated drive, whose ``actions.json`` it takes, or a JSON file with the segments of
one video, written by hand::

    {"video": "clip.mp4", "duration_second": 139.4, "label": "visit", "segments": [[6.1, 19.5], [22.8, 44.8]]}

Videos are called as ``run.py features`` calls them: as the drive's folder, or the video's file without its suffix.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from errors import UserError
from formats.json_files import entries, field, number, read_object
from formats.temporal.annotations import AnnotatedVideo, read_annotations
from formats.temporal.segments import segment, segments_array
from whole_files import write_whole

ACTIONS = "actions.json"


def read_video(path: Path) -> tuple[str, AnnotatedVideo]:
    """Name and annotations of one video: of a drive's folder, or of a file of segments.

    Raises:
        UserError: neither, or what is in it is wrong.
    """
    if not path.is_dir():
        return _segments(path)
    if not (path / ACTIONS).is_file():
        raise UserError(f"{path}: has no {ACTIONS}; give simulated drives, or files with the segments of a video")
    videos = list(read_annotations(path / ACTIONS).values())
    if len(videos) != 1:
        raise UserError(f"{path / ACTIONS}: is of {len(videos)} videos; a drive has one")
    return path.resolve().name, videos[0]


def gather(subsets: Mapping[str, Sequence[Path]], out: Path) -> dict[str, int]:
    """Write the videos of each subset to ``out``, whole or not at all.

    Returns:
        How many actions each subset has.

    Raises:
        UserError: a video that is wrong, two of one name, or ``out`` cannot be written.
    """
    database, actions = {}, dict.fromkeys(subsets, 0)
    for subset, paths in subsets.items():
        for path in paths:
            name, video = read_video(path)
            if name in database:
                raise UserError(f"{path}: a video called {name} is there already; give each video once")
            pairs = zip(video.segments_s.tolist(), video.labels, strict=True)
            annotations = [{"segment": segment_s, "label": label} for segment_s, label in pairs]
            database[name] = {"duration": video.duration_s, "subset": subset, "annotations": annotations}
            actions[subset] += len(annotations)
    text = msgspec.json.format(msgspec.json.encode({"version": "rangecast-1", "database": database}), indent=1)
    try:
        write_whole(out, text + b"\n")
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}; choose another place") from error
    return actions


def _segments(path: Path) -> tuple[str, AnnotatedVideo]:
    content, where = read_object(path, "segments of a video"), str(path)
    given = entries(field(content, "segments", where), f"{where}: 'segments'")
    segments = [segment(value, f"{where}, segment {index}") for index, value in enumerate(given)]
    video = AnnotatedVideo(
        duration_s=number(field(content, "duration_second", where), f"{where}: its duration_second"),
        subset=None,
        segments_s=segments_array(segments),
        labels=(str(field(content, "label", where)),) * len(segments),
    )
    return Path(str(field(content, "video", where))).stem, video


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m formats.temporal.gather", description=__doc__.split("\n")[0])
    for subset in ("training", "validation"):
        parser.add_argument(f"--{subset}", type=Path, nargs="+", default=[], metavar="VIDEO")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    subsets = {name: paths for name in ("training", "validation") if (paths := getattr(given, name))}
    if not subsets:
        parser.error("give videos: --training, --validation, or both")
    try:
        actions = gather(subsets, given.out)
    except UserError as error:
        sys.exit(f"error: {error}")
    for subset, count in actions.items():
        print(f"{given.out}: {subset}: {count:,} actions in {len(subsets[subset]):,} videos")


if __name__ == "__main__":
    main()
