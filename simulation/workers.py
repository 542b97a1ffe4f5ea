"""Frames made and written by one process, or by several at a time: the bytes are the same.

Workers are fresh interpreters (spawn). Each makes blocks of consecutive frames with a street of its own and says so
after every frame; when the process that started it is gone, it notices then, and ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from simulation.folder import DriveFolder
from simulation.frame import FrameMaker
from simulation.recipe import Recipe

_BLOCK = 60  # frames: several windows of the street, so that few are built twice


class Made(NamedTuple):
    """Frame ``frame`` is on disk; ``seconds``: what each stage took for it."""

    frame: int
    seconds: dict[str, float]


def make_frames(folder: DriveFolder, frames: list[int], jobs: int) -> Iterator[Made]:
    """Make and write ``frames`` (ascending) with ``jobs`` processes, this one if it is 1. Yields them as they come.

    Raises :class:`UserError` where a frame cannot be written or a worker dies. Closing the iterator, or an exception in
    its consumer, ends the workers; frames that are done stay.
    """
    blocks = _blocks(frames, jobs)
    if jobs == 1 or len(blocks) == 1:
        return _make_here(folder, FrameMaker(folder.recipe), frames)
    return _make_elsewhere(folder, blocks, min(jobs, len(blocks)))


def _blocks(frames: list[int], jobs: int) -> list[list[int]]:
    size = max(min(_BLOCK, -(-len(frames) // jobs)), 1)
    return [frames[i : i + size] for i in range(0, len(frames), size)]


def _make_here(folder: DriveFolder, maker: FrameMaker, frames: list[int]) -> Iterator[Made]:
    for k in frames:
        before = dict(maker.clock.seconds)
        frame = maker.make(k)
        with maker.clock("writing"):
            try:
                folder.write_frame(k, frame.files, frame.record)
            except OSError as error:
                raise folder.problem(error) from error
        yield Made(k, {stage: total - before[stage] for stage, total in maker.clock.seconds.items()})


def _make_elsewhere(folder: DriveFolder, blocks: list[list[int]], jobs: int) -> Iterator[Made]:
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, multiprocessing.process.BaseProcess] = {}
    waiting = iter(blocks)
    try:
        for number in range(jobs):
            ours, theirs = context.Pipe()
            arguments = (theirs, folder.out, folder.recipe, _cores(number, jobs))
            workers[ours] = context.Process(target=_work, args=arguments, daemon=True)
            workers[ours].start()
            theirs.close()
            ours.send(next(waiting))
        busy = set(workers)
        while busy:
            for connection in wait(list(busy)):
                said = _hear(connection, workers[connection])
                if isinstance(said, Made):
                    yield said
                elif (block := next(waiting, None)) is not None:
                    connection.send(block)
                else:
                    busy.discard(connection)
    finally:
        for connection, process in workers.items():
            connection.close()
            process.terminate()
        for process in workers.values():
            process.join()


def _hear(connection: Connection, process: multiprocessing.process.BaseProcess) -> Made | None:
    """What a worker says: a frame is made, or (None) its block is."""
    try:
        said = connection.recv()
    except (EOFError, ConnectionError):
        process.join()
        raise UserError(
            f"a worker process ended (exit code {process.exitcode}; -9 is mostly a lack of memory); run the same "
            "command again with fewer --jobs: it goes on from there"
        ) from None
    if isinstance(said, UserError):
        raise said
    if isinstance(said, str):
        raise RuntimeError(f"a worker process failed:\n{said}")
    return said


def _work(connection: Connection, out: Path, recipe: Recipe, cores: set[int] | None) -> None:
    """A worker's life: take blocks of frames until nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the starter ends its workers
    if cores:
        os.sched_setaffinity(0, cores)  # Open3D starts as many threads as it sees cores
    import cv2

    cv2.setNumThreads(1)
    try:
        folder, maker = DriveFolder(out, recipe), FrameMaker(recipe)
        while True:
            for made in _make_here(folder, maker, connection.recv()):
                connection.send(made)
            connection.send(None)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        connection.send(error)
    except Exception:  # whatever it is, the starter tells it
        connection.send(traceback.format_exc())


def _cores(number: int, jobs: int) -> set[int] | None:
    """This worker's share of the cores, where there is a core for each and the system can be told."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[number::jobs]) if len(cores) >= jobs else None
