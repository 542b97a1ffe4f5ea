"""BC-GNN, BMN and sliding windows as things to train: network, truth, losses, and what they say of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.bcgnn import labels
from models.bcgnn import loss as bcgnn_loss
from models.bcgnn.network import BCGNN
from models.bcgnn.network import Logits as BCGNNLogits
from models.bmn import loss as bmn_loss
from models.bmn.network import BMN
from models.bmn.network import Logits as BMNLogits
from models.sliding_window.network import Actionness
from models.sliding_window.windows import propose, windows
from training.proposals.recipe import ProposalRecipe

_OVERLAP = 0.75  # of sliding windows


class Method(Protocol):
    """One way to propose."""

    def network(self) -> nn.Module:
        """A new network, of features [B, D, l_w]."""
        ...

    def truth(self, actions_s: np.ndarray, times_s: np.ndarray, step_s: float) -> tuple[np.ndarray, ...]:
        """What is true of a window whose locations are at ``times_s`` [l_w], ``step_s`` apart."""
        ...

    def losses(self, network: nn.Module, features: Tensor, truth: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The terms whose sum is the loss of a batch."""
        ...

    def probabilities(self, network: nn.Module, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """start [l_w], end [l_w] and content [l_w, l_w] of one window, ``features`` [1, D, l_w]."""
        ...


class BCGNNMethod:
    """See :class:`Method`."""

    def __init__(self, recipe: ProposalRecipe) -> None:
        self._length, self._model = recipe.windows.length, recipe.model

    def network(self) -> BCGNN:
        model = self._model
        return BCGNN(
            model.feature_dim,
            self._length,
            model.max_duration,
            variant=model.variant,
            base_dim=model.base_dim,
            node_dim=model.dim,
            content_dim=model.dim,
            samples=model.samples,
        )

    def truth(self, actions_s: np.ndarray, times_s: np.ndarray, step_s: float) -> tuple[np.ndarray, ...]:
        return labels.assign(
            actions_s, times_s, max_duration=self._model.max_duration, least_margin_s=_least_margin_s(step_s)
        )

    def losses(self, network: BCGNN, features: Tensor, truth: tuple[Tensor, ...]) -> dict[str, Tensor]:
        logits = BCGNNLogits(*(part.float() for part in network(features)))
        return bcgnn_loss.losses(logits, *truth, network.segments.is_segment)._asdict()

    def probabilities(self, network: BCGNN, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        start, end, content = (torch.sigmoid(part[0].float()) for part in network(features))
        return start, end, content


class BMNMethod:
    """See :class:`Method`."""

    def __init__(self, recipe: ProposalRecipe) -> None:
        self._length, self._model = recipe.windows.length, recipe.model

    def network(self) -> BMN:
        model = self._model
        return BMN(
            model.feature_dim,
            self._length,
            model.max_duration,
            base_dim=model.base_dim,
            dim=model.dim,
            samples=model.samples,
        )

    def truth(self, actions_s: np.ndarray, times_s: np.ndarray, step_s: float) -> tuple[np.ndarray, ...]:
        start, end, _ = labels.assign(actions_s, times_s, least_margin_s=_least_margin_s(step_s))
        return start, end, labels.largest_tiou(actions_s, times_s).astype(np.float32)

    def losses(self, network: BMN, features: Tensor, truth: tuple[Tensor, ...]) -> dict[str, Tensor]:
        logits = BMNLogits(*(part.float() for part in network(features)))
        terms = bmn_loss.losses(logits, *truth, network.segments.is_segment)
        return {
            "boundaries": terms.boundaries,
            "classified": terms.classified,
            "regressed": terms.total - terms.boundaries - terms.classified,  # with its weight
        }

    def probabilities(self, network: BMN, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = BMNLogits(*(part.float() for part in network(features)))
        start, end, content = (torch.sigmoid(part[0]) for part in (logits.start, logits.end, logits.content))
        return start, end, content


class SlidingWindowMethod:
    """See :class:`Method`. Durations from two locations on, each √2 of the one before."""

    def __init__(self, recipe: ProposalRecipe) -> None:
        self._length, self._model = recipe.windows.length, recipe.model
        longest = self._model.max_duration or self._length - 1
        durations = np.unique(np.round(2 * np.sqrt(2) ** np.arange(2 * np.log2(longest))).astype(np.int64))
        self._windows = windows(self._length, tuple(durations[durations <= longest].tolist()), _OVERLAP)

    def network(self) -> Actionness:
        return Actionness(self._model.feature_dim, base_dim=self._model.base_dim)

    def truth(self, actions_s: np.ndarray, times_s: np.ndarray, step_s: float) -> tuple[np.ndarray, ...]:
        starts_s, ends_s = actions_s.T
        return (((starts_s <= times_s[:, None]) & (times_s[:, None] < ends_s)).any(axis=1),)

    def losses(self, network: Actionness, features: Tensor, truth: tuple[Tensor, ...]) -> dict[str, Tensor]:
        logits, inside = network(features).float(), truth[0]
        return {"actionness": bcgnn_loss.weighted_log_loss(logits.flatten(), inside.flatten())}

    def probabilities(self, network: Actionness, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        actionness = torch.sigmoid(network(features)[0].float()).cpu().numpy()
        found = propose(actionness, np.arange(self._length, dtype=np.float64), self._windows)
        first, last = found.segments_s.astype(np.int64).T
        content = np.zeros((self._length, self._length))
        content[first, last] = found.scores
        anywhere = torch.ones(self._length)
        return anywhere, anywhere, torch.from_numpy(content)


METHODS: dict[str, Callable[[ProposalRecipe], Method]] = {
    "bcgnn": BCGNNMethod,
    "bmn": BMNMethod,
    "sliding-window": SlidingWindowMethod,
}
"""By family."""


def _least_margin_s(step_s: float) -> float:
    """Half a snippet: the boundaries of the shortest action are at some location still."""
    return step_s / 2
