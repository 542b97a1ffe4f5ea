"""The class buffer: what large objects of each class have looked like so far (the paper's Sec. 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HISTORIES = ("all", "decay", "window")

_DECAY = 0.99  # kept of the old representative by each batch with the class; the paper does not say
_WINDOW = 2000  # samples per class: the smallest of Table 2d


class ClassBuffer(nn.Module):
    """A representative of every class: the mean of the features it was shown.

    Args:
        classes: C.
        channels: D.
        history: ``all``: each sample ever shown weighs the same. ``decay``: each batch that shows the class takes one
            per cent of the weight from all before. ``window``: the last 2000 samples of the class.

    Attributes:
        representatives: [C, D].
        seen: [C] int64, samples shown; 0: there is no representative.
    """

    representatives: Tensor
    seen: Tensor
    recent: Tensor

    def __init__(self, classes: int, channels: int, history: str = "all") -> None:
        super().__init__()
        if history not in HISTORIES:
            raise ValueError(f"history is {history!r}, not one of {', '.join(HISTORIES)}")
        self.history = history
        self.register_buffer("representatives", torch.zeros(classes, channels))
        self.register_buffer("seen", torch.zeros(classes, dtype=torch.int64))
        if history == "window":
            self.register_buffer("recent", torch.zeros(classes, _WINDOW, channels))

    def update(self, features: Tensor, labels: Tensor) -> Tensor:
        """Show it some more.

        Args:
            features: [R, D].
            labels: [R] int64.

        Returns:
            The representatives now, [C, D]. Gradients flow from them into ``features``; what is kept has none.
        """
        features = features.float()
        shown = torch.bincount(labels, minlength=len(self.seen))
        if self.history == "window":
            now = self._mean_of_window(features, labels, shown)
        else:
            sums = torch.zeros_like(self.representatives).index_add(0, labels, features)
            change = sums / shown.clamp(min=1)[:, None] - self.representatives
            share = shown / (self.seen + shown).clamp(min=1)
            if self.history == "decay":
                share = torch.where(self.seen > 0, 1 - _DECAY, 1.0)
            now = self.representatives + torch.where(shown > 0, share, 0.0)[:, None] * change
        self.representatives.copy_(now.detach())
        self.seen.add_(shown)
        return now

    def _mean_of_window(self, features: Tensor, labels: Tensor, shown: Tensor) -> Tensor:
        order = F.one_hot(labels, len(self.seen)).cumsum(0).gather(1, labels[:, None])[:, 0]  # 1 … within its class
        fits = shown[labels] - order < _WINDOW
        labels, order, features = labels[fits], order[fits], features[fits]
        slot = (self.seen[labels] + order - 1) % _WINDOW
        window = self.recent.index_put((labels, slot), features)
        self.recent.copy_(window.detach())
        return window.sum(1) / (self.seen + shown).clamp(1, _WINDOW)[:, None]
