"""Drives down many streets, which are what a network is trained on: each whole, in a folder of its own.

Processes share the streets, not their frames, so that starting one is paid for once; the bytes are those of the same
drives made one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from errors import UserError
from simulation import drive
from simulation.drive import Made, Summary
from simulation.folder import DriveFolder
from simulation.recipe import Recipe
from simulation.scene import import_open3d
from simulation.workers import perform, require_jobs


def drives(out: Path, recipe: Recipe, streets: int) -> dict[Path, Recipe]:
    """Folder and recipe of each drive: ``out``/<seed>, for ``streets`` seeds from that of ``recipe`` on.

    Raises :class:`UserError` where one cannot be made, or ``out`` is itself the folder of a drive.
    """
    if not 1 <= streets <= 1_000_000:
        raise UserError(f"--streets {streets}: must be from 1 to 1000000")
    if DriveFolder(out, recipe).is_marked():
        raise UserError(f"{out}: holds a single drive; choose another --out folder for --streets")
    recipes = [msgspec.structs.replace(recipe, seed=recipe.seed + n) for n in range(streets)]
    for one in recipes:
        one.check()
    return {out / str(one.seed): one for one in recipes}


def simulate(
    out: Path, recipe: Recipe, streets: int, *, jobs: int = 1, on_frame: Callable[[], None] | None = None
) -> Summary:
    """Make the :func:`drives`, with ``jobs`` processes. Finished ones are kept, unfinished ones completed.

    ``on_frame()`` is called once a frame more is on disk. Raises what :func:`simulation.drive.simulate` does; nothing
    is made where any of the folders holds anything else or the disk is too small for all.
    """
    started = time.perf_counter()
    missing = {
        folder: one for folder, one in drives(out, recipe, streets).items() if not drive.is_finished(folder, one)
    }
    require_jobs(jobs)
    import_open3d()
    frames = sum(one.frames - drive.frames_done(folder, one) for folder, one in missing.items())
    DriveFolder(out, recipe).require_space(frames)
    summary = Summary(out)
    with closing(perform(_make, list(missing.items()), jobs)) as made_frames:
        for made in made_frames:
            summary.add(made)
            if on_frame is not None:
                on_frame()
    summary.wall_s = time.perf_counter() - started
    return summary


def _make(tasks: Iterator[tuple[Path, Recipe]]) -> Iterator[Made]:
    for folder, recipe in tasks:
        yield from drive.make(folder, recipe)
