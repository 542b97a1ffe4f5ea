"""Features of a still camera, pasted together from those of other videos: something comes, and goes again.

    python -m training.proposals.collages --features DIR --annotations FILE [--videos N] [--snippets N] [--seed N]

adds ``collage-00000.npy`` … to DIR, and to FILE as its subset ``training``, where DIR has the features of FILE's
training videos by one encoder (``run.py features``). The same arguments and files give the same bytes.

Simulated drives have a camera that moves and actions of seconds. A network that learns from them alone has never seen a
scene that stays as it is until somebody enters it, for half a minute perhaps. A collage's ground is a moment of one
video that lasts, and trembles as neighbouring snippets of a video differ; an action is a stretch of another video that
is mixed into it: from 20 to 100 % of what is seen, 2 to 60 snippets long. The mixture says that something is there, and
nothing of what.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from errors import UserError
from formats.json_files import read_object
from formats.temporal.annotations import read_annotations
from formats.temporal.feature_writer import About, FeatureWriter, read_about
from formats.temporal.segments import PER_VIDEO
from whole_files import write_whole

LABEL = "something is there"
_SHORTEST, _LONGEST = 2, 60  # snippets
_SHARE = 0.2, 1.0
_TREMBLE = 0.3  # of the difference between neighbouring snippets: it is 0.4 of it in a street filmed from a mast
_PAUSE = 12  # snippets between two actions, on average


def make_collage(
    sources: Sequence[np.ndarray], snippets: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One collage of features [D, L] of videos.

    Returns:
        features: [D, ``snippets``] float32.
        segments: [G, 2] float64 in snippets from the beginning, rising, apart from each other.
    """
    ground_of = sources[rng.integers(len(sources))]
    ground = ground_of[:, [rng.integers(ground_of.shape[1])]]
    steps = np.diff(ground_of, axis=1)
    features = ground + _TREMBLE * steps[:, rng.integers(steps.shape[1], size=snippets)]
    segments, now = [], rng.exponential(_PAUSE)
    while True:
        length = float(np.exp(rng.uniform(np.log(_SHORTEST), np.log(_LONGEST))))
        if now + length > snippets:
            return features.astype(np.float32), np.array(segments).reshape(-1, 2)
        other = sources[rng.integers(len(sources))]
        first = rng.integers(other.shape[1])
        shown = other[:, (first + np.arange(snippets)) % other.shape[1]]
        at = np.arange(snippets)
        covered = np.clip(np.minimum(at + 1, now + length) - np.maximum(at, now), 0, 1)
        share = rng.uniform(*_SHARE) * covered
        features = (1 - share) * features + share * shown
        segments.append((now, now + length))
        now += length + 1 + rng.exponential(_PAUSE)


def add_collages(folder: Path, annotations: Path, *, videos: int = 150, snippets: int = 125, seed: int = 0) -> None:
    """See the module's docstring.

    Raises:
        UserError: no training videos with features, or collages are there already; too short; a file cannot be written.
    """
    if snippets < 2 * _LONGEST:
        raise UserError(f"--snippets {snippets}: give {2 * _LONGEST} or more")
    annotated = read_annotations(annotations)
    if any(name.startswith("collage-") for name in annotated):
        raise UserError(f"{annotations}: has collages already; gather the annotations anew first")
    training = [name for name, video in annotated.items() if video.subset == "training"]
    files = [path for name in training if (path := folder / f"{name}.npy").is_file()]
    if not files:
        raise UserError(f"{folder}: no features of a training video of {annotations}; make some with run.py features")
    abouts = [about for path in files if (about := read_about(path)) is not None]
    if len(abouts) < len(files) or len({(about.model_sha256, about.step_s) for about in abouts}) > 1:
        raise UserError(f"{folder}: features of several encoders or steps, or of unknown ones; make them anew")
    sources, rng, content = (
        [np.load(path) for path in files],
        np.random.default_rng(seed),
        read_object(annotations, PER_VIDEO),
    )
    step_s = abouts[0].step_s
    for number in range(videos):
        name = f"collage-{number:05d}"
        features, segments = make_collage(sources, snippets, rng)
        _write(folder / f"{name}.npy", features, abouts[0])
        content["database"][name] = {
            "duration": round(snippets * step_s, 3),
            "subset": "training",
            "annotations": [{"segment": s, "label": LABEL} for s in np.round(segments * step_s, 3).tolist()],
        }
    try:
        write_whole(annotations, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    except OSError as error:
        raise UserError(f"{annotations}: cannot be written: {error.strerror}") from error


def _write(path: Path, features: np.ndarray, like: About) -> None:
    snippets = features.shape[1]
    about = msgspec.structs.replace(
        like,
        video=path.stem,
        video_bytes=0,
        snippets=snippets,
        duration_s=snippets * like.step_s,
        frames=0,
        damaged_frames=0,
        repeated_samples=0,
    )
    with FeatureWriter(path, len(features)) as writer:
        for column in features.T:
            writer.add(column)
        writer.finish(about)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.proposals.collages", description=__doc__.split("\n")[0])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=150)
    parser.add_argument("--snippets", type=int, default=125)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        add_collages(given.features, given.annotations, videos=given.videos, snippets=given.snippets, seed=given.seed)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{given.annotations}: {given.videos} collages more")


if __name__ == "__main__":
    main()
