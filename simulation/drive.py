"""A simulated drive on disk: made frame by frame, resumed where it stopped, and completed by what speaks of all frames.

What there is in the end: the recording in KITTI's layout (:mod:`simulation.layouts`), a label for every point, poses,
``label_02/0000.txt`` (KITTI tracking; ``label_03`` for the right camera), ``objects.jsonl``, ``actions.json``
(ActivityNet) and ``drive.json``, the card.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errors import UserError
from simulation.card import card
from simulation.folder import DriveFolder
from simulation.frame import STAGES, FrameMaker
from simulation.recipe import Recipe
from simulation.scene import import_open3d
from simulation.street import Street
from simulation.traffic.actions import ACTIONS
from simulation.truth import activity, objects
from simulation.workers import perform, require_jobs

_BLOCK = 60  # frames that a process makes in a row: several windows of the street, so that few are built twice


class Made(NamedTuple):
    """Frame ``frame`` is on disk; ``seconds``: what each stage took for it."""

    frame: int
    seconds: dict[str, float]


@dataclass
class Summary:
    """What a run did: ``made`` frames in ``wall_s``; ``seconds``: what each stage took, over all processes."""

    root: Path  # the folder that readers take
    made: int = 0
    wall_s: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def add(self, made: Made) -> None:
        """Count a frame."""
        self.made += 1
        for stage, seconds in made.seconds.items():
            self.seconds[stage] += seconds


def simulate(out: Path, recipe: Recipe, *, jobs: int = 1, on_frame: Callable[[int], None] | None = None) -> Summary:
    """Write the drive of ``recipe`` into the folder ``out``, with ``jobs`` processes; the bytes do not depend on them.

    A finished drive of the same recipe is kept as it is; an unfinished one is completed. ``on_frame(k)`` is called once
    frame k is on disk. With several ``jobs`` a script needs ``if __name__ == "__main__":`` around the call, as ever.

    Raises :class:`UserError` where the recipe cannot be made, ``out`` holds anything else or cannot be written, the
    disk is too small, or Open3D is not installed.
    """
    started = time.perf_counter()
    summary = Summary(DriveFolder(Path(out), recipe).root)
    with closing(make(Path(out), recipe, jobs=jobs)) as frames:
        for made in frames:
            summary.add(made)
            if on_frame is not None:
                on_frame(made.frame)
    summary.wall_s = time.perf_counter() - started
    return summary


def make(out: Path, recipe: Recipe, *, jobs: int = 1) -> Iterator[Made]:
    """The same, told frame by frame. Closed before its end, it leaves a drive that is completed another time."""
    folder = DriveFolder(out, recipe)
    if is_finished(out, recipe):
        return
    require_jobs(jobs)
    import_open3d()
    try:
        missing = folder.missing_frames()
        folder.require_space(len(missing))
        folder.begin()
        yield from perform(partial(_write_frames, out, recipe), _blocks(missing, jobs), jobs)
        _complete(folder)
    except OSError as error:
        raise folder.problem(error) from error


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether ``out`` holds exactly this drive, whole; False where it is empty, absent, or this drive is unfinished.

    Raises :class:`UserError` for a recipe that cannot be made, and where ``out`` holds something else.
    """
    recipe.check()
    return DriveFolder(Path(out), recipe).is_finished()


def frames_done(out: Path, recipe: Recipe) -> int:
    """How many frames of this drive are in ``out`` already."""
    return recipe.frames - len(DriveFolder(Path(out), recipe).missing_frames())


def discard_another(out: Path, recipe: Recipe) -> None:
    """Remove the simulated drive in ``out`` where it is another one or damaged. Anything else is left alone.

    Raises :class:`UserError` where ``out`` is a file or holds no simulated drive.
    """
    recipe.check()
    folder = DriveFolder(Path(out), recipe)
    try:
        folder.is_finished()
    except UserError:
        if not folder.is_marked():
            raise
        folder.clear()


def _blocks(frames: list[int], jobs: int) -> list[list[int]]:
    """``frames`` in pieces, for ``jobs`` processes to share."""
    size = max(min(_BLOCK, -(-len(frames) // jobs)), 1)
    return [frames[i : i + size] for i in range(0, len(frames), size)]


def _write_frames(out: Path, recipe: Recipe, blocks: Iterator[list[int]]) -> Iterator[Made]:
    """Make and write the frames of ``blocks``, with a street of its own."""
    folder, maker = DriveFolder(out, recipe), FrameMaker(recipe)
    for k in chain.from_iterable(blocks):
        before = dict(maker.clock.seconds)
        frame = maker.make(k)
        with maker.clock("writing"):
            try:
                folder.write_frame(k, frame.files, frame.record)
            except OSError as error:
                raise folder.problem(error) from error
        yield Made(k, {stage: total - before[stage] for stage, total in maker.clock.seconds.items()})


def _complete(folder: DriveFolder) -> None:
    """Write what speaks of all frames, from the frames' records; the card last."""
    recipe, root = folder.recipe, folder.layout.root(folder.recipe)
    poses, lines, points = [], [], Counter[str]()
    tracking: dict[int, list[str]] = {camera: [] for camera in recipe.cameras}
    for record in folder.records():
        poses.append(np.array(record["lidar_pose"]))
        for camera in recipe.cameras:
            tracking[camera] += record["tracking"][str(camera)]
        lines.append(record["objects"])
        points.update(record["points_per_label"])
    for path, text in folder.layout.texts(recipe, poses).items():
        folder.write(Path(path), text.encode())
    street = Street(recipe.seed, recipe.settings)
    street.traffic.at(recipe.time_s(recipe.frames))
    actions = street.traffic.actions()
    sightings = objects.sightings(lines)
    name = f"drive_{recipe.seed}"
    activities = activity.database(
        actions,
        sightings,
        ACTIONS,
        name=name,
        frames=recipe.frames,
        period_s=recipe.period_s,
        optics=recipe.settings.camera.optics,
    )
    for camera, labels in tracking.items():
        folder.write(root / f"label_0{camera}" / "0000.txt", "".join(f"{line}\n" for line in labels).encode())
    folder.write(root / "objects.jsonl", "".join(f"{line}\n" for line in lines).encode())
    folder.write(root / "actions.json", json.dumps(activities, indent=1).encode() + b"\n")
    folder.finish(card(folder, street, actions, points))
