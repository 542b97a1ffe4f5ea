"""Tasks performed by one process, or by several at a time.

``work`` is a generator function: it sets itself up, then takes one task after the other from the iterator that it is
given, and yields whatever is to be told. Workers are fresh interpreters (spawn), so ``work``, tasks and results must be
what pickle can carry. When the process that started a worker is gone, the worker notices at its next word, and ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple, TypeVar

from errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Iterator[Task]], Iterator[Result]]


class _Done(NamedTuple):
    """What a worker says when its task is done: it is ready for another."""


class _Failed(NamedTuple):
    """What it says when something went wrong that is no user's mistake."""

    traceback: str


def require_jobs(jobs: int) -> None:
    """Raise :class:`UserError` where so many processes cannot be started."""
    if not 1 <= jobs <= 256:
        raise UserError(f"--jobs {jobs}: must be from 1 to 256")


def perform(work: Work[Task, Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """Perform ``tasks`` with ``jobs`` processes, this one if it is 1, and yield what ``work`` yields, as it comes.

    Raises what ``work`` raises, and :class:`UserError` where a worker dies. Closing the iterator, or an exception in
    its consumer, ends the workers.
    """
    jobs = min(jobs, len(tasks))
    return work(iter(tasks)) if jobs <= 1 else _perform_elsewhere(work, tasks, jobs)


def _perform_elsewhere(work: Work[Task, Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, BaseProcess] = {}
    waiting = deque(tasks)
    try:
        for number in range(jobs):
            ours, theirs = context.Pipe()
            workers[ours] = context.Process(target=_live, args=(theirs, work, _cores(number, jobs)), daemon=True)
            workers[ours].start()
            theirs.close()
            ours.send(waiting.popleft())
        busy = set(workers)
        while busy:
            for connection in wait(list(busy)):
                said = _hear(connection, workers[connection])
                if not isinstance(said, _Done):
                    yield said
                elif waiting:
                    connection.send(waiting.popleft())
                else:
                    busy.discard(connection)
    finally:
        for connection, process in workers.items():
            connection.close()
            process.terminate()
        for process in workers.values():
            process.join()


def _hear(connection: Connection, process: BaseProcess) -> Result | _Done:
    """What a worker says next."""
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
    if isinstance(said, _Failed):
        raise RuntimeError(f"a worker process failed:\n{said.traceback}")
    return said


def _live(connection: Connection, work: Work[Task, Result], cores: set[int] | None) -> None:
    """A worker's life: perform tasks until nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the starter ends its workers
    if cores:
        os.sched_setaffinity(0, cores)  # Open3D starts as many threads as it sees cores
    import cv2

    cv2.setNumThreads(1)
    try:
        for result in work(_tasks(connection)):
            connection.send(result)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        connection.send(error)
    except Exception:  # whatever it is, the starter tells it
        connection.send(_Failed(traceback.format_exc()))


def _tasks(connection: Connection) -> Iterator[Task]:
    """The tasks that a worker is given."""
    while True:
        yield connection.recv()
        connection.send(_Done())


def _cores(number: int, jobs: int) -> set[int] | None:
    """This worker's share of the cores, where there is a core for each and the system can be told."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[number::jobs]) if len(cores) >= jobs else None
