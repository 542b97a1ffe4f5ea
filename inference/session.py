"""A session runs one exported model: open, infer, close. The same for every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal, Protocol

import msgspec
import numpy as np

from inference.manifest import Manifest, Tensor

Precision = Literal["fp32", "bf16", "fp16", "int8"]


class Engine(Protocol):
    """What a backend adds to :class:`Session`. ``provider`` and ``precision`` are read back from the library."""

    provider: str
    precision: Precision
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Infer from arrays that are known to match ``inputs``, in that order; results in the order of ``outputs``."""
        ...

    def close(self) -> None: ...


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which backend runs a model, and why. ``rejected``: each backend that was considered before it, and why not."""

    backend: str
    reason: str
    rejected: tuple[tuple[str, str], ...] = ()


class Session:
    """An open model. For one thread at a time; a context manager.

    Attributes:
        manifest: what ``model.json`` says of the model.
        choice: the backend, and why it was chosen.
        backend: ``choice.backend``.
        provider: the device or execution provider truly in use.
        precision: what the graph is computed in.
        threads: how many threads compute.
        inputs, outputs: the graph's own; sizes that may vary are names or None.
    """

    def __init__(self, engine: Engine, manifest: Manifest, choice: Choice, threads: int) -> None:
        self.manifest = manifest
        self.choice = choice
        self.backend = choice.backend
        self.provider = engine.provider
        self.precision = engine.precision
        self.threads = threads
        self.inputs = engine.inputs
        self.outputs = engine.outputs
        self._engine: Engine | None = engine

    def infer(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph once. Inputs and outputs by name; the same input gives the same bytes, on one machine.

        Results are written to the same memory each time: they are valid until the next ``infer``; copy what must last
        longer. C-contiguous inputs are read in place (OpenVINO: those that are writeable; others are copied).

        Raises:
            ValueError: an input is missing, unknown, or of another dtype or shape; or the session is closed.
        """
        if self._engine is None:
            raise ValueError("this session is closed")
        check_inputs(self.inputs, arrays)
        results = self._engine.run([arrays[tensor.name] for tensor in self.inputs])
        return {tensor.name: result for tensor, result in zip(self.outputs, results, strict=True)}

    def close(self) -> None:
        """Give back the library's memory and threads. Results that were handed out stay readable."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def check_inputs(expected: Sequence[Tensor], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise :class:`ValueError` where ``arrays`` are not what the graph takes. Sizes of one name must agree."""
    names = [tensor.name for tensor in expected]
    if set(arrays) != set(names):
        raise ValueError(f"the model takes {', '.join(names)}; given {', '.join(sorted(arrays)) or 'nothing'}")
    sizes: dict[str, int] = {}
    for tensor in expected:
        array = arrays[tensor.name]
        matches = array.dtype == tensor.dtype and array.ndim == len(tensor.shape)
        if matches:
            for size, wanted in zip(array.shape, tensor.shape, strict=True):
                fixed = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
                matches = matches and (fixed is None or fixed == size)
        if not matches:
            raise ValueError(f"input {tensor}: got {array.dtype}{list(array.shape)}")
