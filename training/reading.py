"""Batches are made while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(make: Callable[[int], T], steps: range, readers: int) -> Iterator[T]:
    """``make(step)`` of each step, in order, made ahead of time by ``readers`` threads.

    Threads, not processes: reading, projection and NumPy's arithmetic let go of Python's lock, and nothing has to be
    pickled or to fit into a container's small shared memory.
    """
    with ThreadPoolExecutor(readers, thread_name_prefix="reader") as pool:
        upcoming: deque[Future[T]] = deque()
        try:
            for step in steps:
                upcoming.append(pool.submit(make, step))
                if len(upcoming) > readers:
                    yield upcoming.popleft().result()
            while upcoming:
                yield upcoming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
