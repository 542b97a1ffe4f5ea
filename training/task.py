"""What the loop asks of whatever is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor, nn


class Score(NamedTuple):
    """A validation: ``value`` decides (higher is better), ``details`` are written down."""

    value: float
    details: dict[str, float]


class Task(Protocol):
    """A model, its data and its losses.

    Attributes:
        samples: how many there are in an epoch.
        validation_samples: how many are validated on; 0 for no validation.
        data: what a resumed training must find again, as plain values.
        notes: what the user should know of the data.
    """

    samples: int
    validation_samples: int
    data: dict[str, Any]
    notes: Sequence[str]

    def network(self) -> nn.Module:
        """A new network, its weights drawn from torch's generator."""
        ...

    def load(self, network: nn.Module, checkpoint: Path) -> None:
        """Start from a checkpoint's weights. Raises UserError where it is of another network."""
        ...

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Sample ``index`` of an epoch, augmented by ``rng``. Called from several threads."""
        ...

    def losses(self, network: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        """The terms whose sum is the loss; ``batch`` has the parts of the samples, stacked."""
        ...

    def validate(self, network: nn.Module, indices: Sequence[int], on_sample: Callable[[], None]) -> Any:
        """What :meth:`score` needs of these validation samples; plain values or arrays."""
        ...

    def score(self, parts: Sequence[Any]) -> Score:
        """The score of what :meth:`validate` gave in each process."""
        ...

    def save(self, network: nn.Module, path: Path, step: int) -> None:
        """Write a checkpoint of the trained network, whole or not at all."""
        ...
