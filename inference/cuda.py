"""The little of CUDA that running an engine takes: calls that raise, and which GPU this machine has."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec

from errors import UserError


class CudaError(RuntimeError):
    """A CUDA call failed; the text names the call and CUDA's error."""


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU as CUDA describes it. ``compute_capability``: ``SM86`` stands for 8.6."""

    name: str
    compute_capability: str
    sm_count: int
    memory_bytes: int

    def __str__(self) -> str:
        return f"{self.name} ({self.compute_capability}, {self.sm_count} multiprocessors)"


def import_cuda() -> ModuleType:
    """``cuda.bindings.runtime``. Raises :class:`UserError` where it is not installed."""
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise UserError(
            f"cuda-bindings cannot be imported ({error}); pip install 'rangecast[gpu]' or 'rangecast[rtx]'"
        ) from error


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of ``cuda.bindings.runtime``; its one result, the tuple of them, or None.

    Raises:
        CudaError: it returned an error.
    """
    error, *results = function(*arguments)
    if int(error) != 0:
        raise CudaError(f"{function.__name__}: {getattr(error, 'name', error)}")
    return results[0] if len(results) == 1 else tuple(results) or None


def require_gpu() -> Gpu:
    """The GPU that CUDA uses: its first; ``CUDA_VISIBLE_DEVICES`` chooses.

    Raises:
        UserError: no GPU, no driver that is new enough, or no bindings.
    """
    cuda = import_cuda()
    try:
        if not call(cuda.cudaGetDeviceCount):
            raise UserError("no NVIDIA GPU is visible here; see nvidia-smi and CUDA_VISIBLE_DEVICES")
        properties = call(cuda.cudaGetDeviceProperties, 0)
    except CudaError as error:
        raise UserError(f"no NVIDIA GPU can be used here ({error}); see nvidia-smi") from error
    return Gpu(
        name=properties.name.decode(),
        compute_capability=f"SM{properties.major}{properties.minor}",
        sm_count=properties.multiProcessorCount,
        memory_bytes=properties.totalGlobalMem,
    )


def first_gpu() -> Gpu | None:
    """As :func:`require_gpu`; None where there is none."""
    try:
        return require_gpu()
    except UserError:
        return None
