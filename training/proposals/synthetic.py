"""A benchmark of proposals whose truth is known: feature streams with actions, and with what looks like actions.

    python -m training.proposals.synthetic --out DIR [--seed N] [--videos N] [--snippets N]

writes ``DIR/features/*.npy`` and ``DIR/annotations.json`` (ActivityNet's), as :mod:`training.proposals.videos` reads
them. The same arguments give the same bytes.

A **class** of actions has a content that changes from a beginning to an ending while the action lasts, and belongs to
one of four **kinds**; a kind has a cue that marks a start and one that marks an end. An action is a start cue, content
of one class of that kind from there on, and an end cue of that kind. Each part occurs without the others:

- content that fades in and out without cues; cues that enclose nothing; cues of one kind around content of another;
- single cues anywhere, within actions too.

So a boundary is told by what lies between it and its partner, and content by what bounds it. Actions come alone, again
and again with short breaks, one right after another, and one within another; their boundaries lie between snippets. All
of it is on a background that drifts, in noise.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from errors import UserError

DIMENSION = 48
STEP_S = 1.0
_LEAST_SNIPPETS = 16  # for some action to fit
_KINDS, _CLASSES = 4, 12
_SHORTEST_S, _LONGEST_S = 2.5, 24.0
_CUE_WIDTH_S = 0.7
_NOISE = 0.5  # of a feature; content and cues are vectors of length 1 to 2
_DRIFT = 1.5
_SINGLE_CUES_HZ = 1 / 8


class Event(NamedTuple):
    """What is put into a video. ``label``: of the content; None: cues alone. ``cues``: kinds of its start and its end,
    None: it has none, and fades in and out. ``is_action``: whether it is annotated."""

    start_s: float
    end_s: float
    label: int | None
    cues: tuple[int, int] | None
    is_action: bool


class World(NamedTuple):
    """What the videos of a benchmark have in common, as unit vectors: ``content`` [classes, 2, D] of beginning and
    ending, ``cues`` [kinds, 2, D] of start and end."""

    content: np.ndarray
    cues: np.ndarray


def make_world(seed: int) -> World:
    """Random directions in the space of features."""
    rng = np.random.default_rng((seed, 0))
    return World(_directions(rng, (_CLASSES, 2, DIMENSION)), _directions(rng, (_KINDS, 2, DIMENSION)))


def make_video(world: World, snippets: int, rng: np.random.Generator) -> tuple[np.ndarray, list[Event]]:
    """One video of ``snippets`` · :data:`STEP_S`: features [D, snippets] float32, and all its events.

    At least one of them is an action, so ``snippets`` must be enough for one.
    """
    duration_s = snippets * STEP_S
    times_s = STEP_S * (np.arange(snippets) + 0.5)
    events: list[Event] = []
    while not any(event.is_action for event in events):
        events = _events(duration_s, rng)
    features = _background(times_s, rng) + rng.normal(0, _NOISE, (snippets, DIMENSION))
    for event in events:
        features += _seen(event, world, times_s, rng)
    for at_s in rng.uniform(0, duration_s, rng.poisson(_SINGLE_CUES_HZ * duration_s)):
        features += _pulse(at_s, times_s, world.cues[rng.integers(_KINDS), rng.integers(2)], rng)
    return features.T.astype(np.float32), events


def _events(duration_s: float, rng: np.random.Generator) -> list[Event]:
    """Groups one after the other, all of them within the video."""
    events: list[Event] = []
    now_s = rng.uniform(0, 8)
    while True:
        group = list(_group(now_s, rng))
        now_s = max(event.end_s for event in group)
        if now_s > duration_s:
            return events
        events += group
        now_s += rng.exponential(5)


def _group(now_s: float, rng: np.random.Generator) -> Iterator[Event]:
    """Events that belong together, from ``now_s`` on."""
    label, other = rng.choice(_CLASSES, 2, replace=False).tolist()
    length_s = float(np.exp(rng.uniform(np.log(_SHORTEST_S), np.log(_LONGEST_S))))
    match rng.choice(["one", "again", "next", "within", "no cues", "no content", "other kind"],
                     p=[0.2, 0.13, 0.12, 0.1, 0.15, 0.1, 0.2]):  # fmt: skip
        case "one":
            yield _action(now_s, length_s, label)
        case "again":
            length_s = min(length_s, _LONGEST_S / 3)
            for _ in range(rng.integers(2, 4)):
                action = _action(now_s, length_s * rng.uniform(0.8, 1.25), label)
                yield action
                now_s = action.end_s + rng.uniform(1, 3)
        case "next":
            first = _action(now_s, length_s / 2 + _SHORTEST_S / 2, label)
            yield first
            yield _action(first.end_s, length_s / 2 + _SHORTEST_S / 2, other)
        case "within":
            length_s = max(length_s, 4 * _SHORTEST_S)
            yield _action(now_s, length_s, label)
            yield _action(now_s + length_s * rng.uniform(0.15, 0.45), length_s * rng.uniform(0.25, 0.4), other)
        case "no cues":
            yield Event(now_s, now_s + length_s, label, None, False)
        case "no content":
            yield Event(now_s, now_s + length_s, None, (_kind(label), _kind(label)), False)
        case "other kind":
            start, end = rng.integers(_KINDS, size=2).tolist()
            wrong = (_kind(label) + 1 + int(rng.integers(_KINDS - 1))) % _KINDS
            yield Event(now_s, now_s + length_s, label, (wrong, end) if rng.random() < 0.5 else (start, wrong), False)


def _action(start_s: float, length_s: float, label: int) -> Event:
    return Event(start_s, start_s + length_s, label, (_kind(label), _kind(label)), True)


def _kind(label: int) -> int:
    return label % _KINDS


def _seen(event: Event, world: World, times_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What an event adds to the features: [L, D]."""
    added = np.zeros((len(times_s), DIMENSION))
    if event.label is not None:
        covered_from_s = np.maximum(times_s - STEP_S / 2, event.start_s)
        covered_s = np.minimum(times_s + STEP_S / 2, event.end_s) - covered_from_s
        inside = np.maximum(covered_s, 0) / STEP_S
        phase = np.clip((times_s - event.start_s) / (event.end_s - event.start_s), 0, 1)
        if event.cues is None:
            inside = inside * np.clip(4 * phase * (1 - phase), 0, 1)
        beginning, ending = world.content[event.label]
        content = (1 - phase)[:, None] * beginning + phase[:, None] * ending
        added += rng.uniform(1, 2) * inside[:, None] * content
    if event.cues is not None:
        for side, at_s in enumerate((event.start_s, event.end_s)):
            added += _pulse(at_s, times_s, world.cues[event.cues[side], side], rng)
    return added


def _pulse(at_s: float, times_s: np.ndarray, direction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cue: [L, D]."""
    shape = np.exp(-(((times_s - at_s) / _CUE_WIDTH_S) ** 2) / 2)
    return rng.uniform(1.5, 2.5) * shape[:, None] * direction


def _background(times_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Five slow waves, each in a direction of its own: [L, D]."""
    periods_s = rng.uniform(20, 200, 5)
    waves = np.sin(2 * np.pi * (times_s[:, None] / periods_s + rng.uniform(0, 1, 5)))
    return _DRIFT * waves @ _directions(rng, (5, DIMENSION))


def _directions(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Unit vectors along the last axis."""
    vectors = rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def write_benchmark(folder: Path, *, seed: int = 0, videos: int = 1200, snippets: int = 64) -> None:
    """Write a benchmark; a quarter of the videos is the subset ``validation``, the others are ``training``.

    Args:
        snippets: of each video, :data:`STEP_S` long.

    Raises:
        UserError: there is something in the folder already, or it cannot be written; too few videos or snippets.
    """
    if videos < 4 or snippets < _LEAST_SNIPPETS:
        raise UserError(f"{videos} videos of {snippets} snippets are too few; give 4 of {_LEAST_SNIPPETS} or more")
    try:
        (folder / "features").mkdir(parents=True)
    except OSError as error:
        raise UserError(f"--out {folder}: cannot make features/ in it: {error.strerror}; give a new folder") from error
    world, database = make_world(seed), {}
    for number in track(range(videos), "writing videos", transient=True):
        name = f"synthetic-{number:05d}"
        features, events = make_video(world, snippets, np.random.default_rng((seed, 1, number)))
        np.save(folder / "features" / f"{name}.npy", features)
        database[name] = {
            "duration": snippets * STEP_S,
            "subset": "validation" if number % 4 == 3 else "training",
            "annotations": [
                {"segment": [round(event.start_s, 3), round(event.end_s, 3)], "label": f"class {event.label:02d}"}
                for event in events
                if event.is_action
            ],
        }
    text = json.dumps({"database": database}, indent=1)
    (folder / "annotations.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.proposals.synthetic", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder, made where it is missing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--videos", type=int, default=1200)
    parser.add_argument("--snippets", type=int, default=64, help="of each video, a second long")
    given = parser.parse_args()
    try:
        write_benchmark(given.out, seed=given.seed, videos=given.videos, snippets=given.snippets)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{given.out}: {given.videos} videos of {given.snippets} snippets, {DIMENSION} features each")


if __name__ == "__main__":
    main()
