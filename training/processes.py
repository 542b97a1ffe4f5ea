"""Training in several processes, as ``torchrun`` starts them, and in one without it: the same calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from errors import UserError


class Process(NamedTuple):
    """This one of ``count`` processes; ``rank`` 0 writes and shows."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0


@contextmanager
def joined() -> Iterator[Process]:
    """Join the other processes of this training, if torchrun started any, and leave them at the end."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise UserError(f"{local + 1} processes for {torch.cuda.device_count()} GPUs; give torchrun fewer")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if count == 1:
        yield Process(0, 1, device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(rank, count, device)
    finally:
        dist.destroy_process_group()


def share(batch: int, process: Process) -> range:
    """Which samples of a batch are this process's."""
    if batch % process.count:
        raise UserError(f"batch: {batch} cannot be shared by {process.count} processes; give a multiple of them")
    return range(process.rank, batch, process.count)


def total(value: Tensor) -> Tensor:
    """The sum of ``value`` over all processes. No gradient flows through it."""
    value = value.detach().clone()
    if dist.is_initialized():
        dist.all_reduce(value)
    return value


def process_count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def mean(value: Tensor) -> Tensor:
    """The mean of ``value`` over all processes. No gradient flows through it."""
    return total(value) / process_count()


def anywhere(flag: bool, device: torch.device) -> bool:
    """Whether ``flag`` is true in any of the processes."""
    return bool(total(torch.tensor(int(flag), device=device)).item())


def gathered(value: Any) -> list[Any]:
    """``value`` of each process, in each of them."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
