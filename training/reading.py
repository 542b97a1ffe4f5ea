"""The batches of a training: which samples a step has, made while the network computes."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from training.processes import Process, share
from training.recipe import Recipe
from training.task import Task

T = TypeVar("T")


def make_batch(task: Task, recipe: Recipe, process: Process, step: int) -> tuple[Tensor, ...]:
    """This process's samples of a step, stacked. Each epoch has every sample once, in another order."""
    seed, made = recipe.seed, []
    for i in share(recipe.batch, process):
        epoch, place = divmod(step * recipe.batch + i, task.samples)
        made.append(
            task.sample(int(_order(seed, epoch, task.samples)[place]), np.random.default_rng((seed, 1, step, i)))
        )
    stacked = (torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))
    if process.device.type == "cuda":
        return tuple(part.pin_memory() for part in stacked)
    return tuple(stacked)


@functools.lru_cache(maxsize=2)  # a batch may lie across two epochs
def _order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The samples in the order of an epoch."""
    return np.random.default_rng((seed, 0, epoch)).permutation(samples)


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
