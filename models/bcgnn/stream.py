"""Proposals of a video of any length while it runs: one snippet after the other, in constant memory.

Every ``stride`` snippets the last window is scored and merged with those before it (:mod:`models.bcgnn.merging`). At
the end what follows the last whole window is scored with zeros behind it. So all that became final, taken together,
equals :func:`models.bcgnn.offline.video_proposals`: to the bit, where ``score`` gives the same bits.

A proposal is final after ``length − stride`` to ``length`` further snippets. It is provisional from the first window on
that holds it: after at most ``stride`` further snippets, if it fits into a window less a stride. Until the first window
is full, what there is of it is scored every ``stride`` snippets with zeros behind it, for provisional proposals alone.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from models.bcgnn.merging import NONE, Candidates, Merger, in_seconds, window_candidates
from models.bcgnn.offline import Score
from models.bcgnn.proposals import Proposals


class Update(NamedTuple):
    """What a window has changed: ``final`` has what became final with it, ``provisional`` all that may still change."""

    final: Proposals
    provisional: Proposals


class ProposalStream:
    """Takes the features of one snippet at a time.

    Args:
        score: the network, on one window.
        length: l_w, snippets of a window.
        stride: snippets from one window to the next, at most ``length``.
        sigma, least_score: see :class:`~models.bcgnn.merging.Merger`.
    """

    def __init__(self, score: Score, *, length: int, stride: int, sigma: float, least_score: float) -> None:
        if not 1 <= stride <= length:
            raise ValueError(f"stride={stride}: must be 1 to {length}, the length of a window")
        self._score, self._length, self._stride = score, length, stride
        self._sigma, self._least = sigma, least_score
        self._merger = Merger(sigma=sigma, least_score=least_score)
        self._snippets = 0
        self._next_first = 0  # number of the snippet that the next window begins with
        self._features: deque[np.ndarray] = deque(maxlen=length)
        self._times_s: deque[float] = deque(maxlen=2 * length)  # nothing that is open begins earlier

    def add(self, features: np.ndarray, time_s: float) -> Update | None:
        """Take the next snippet: ``features`` [D] float32, ``time_s`` its middle. None: no window was due."""
        self._features.append(features)
        self._times_s.append(time_s)
        self._snippets += 1
        if self._snippets == self._next_first + self._length:
            return self._update(*self._merge_window())
        if self._next_first == 0 and self._snippets % self._stride == 0:
            alone = Merger(sigma=self._sigma, least_score=self._least)
            return self._update(*alone.add(self._window(), next_first=0))
        return None

    def finish(self) -> Proposals:
        """The end of the video: what was open, now final."""
        covered = self._next_first - self._stride + self._length if self._next_first else 0
        last = self._merge_window()[0] if self._snippets > covered else NONE
        rest = self._merger.finish()
        segments, scores = (np.concatenate(both) for both in zip(last, rest, strict=True))
        return self._in_seconds(Candidates(segments, scores))

    def _merge_window(self) -> tuple[Candidates, Candidates]:
        window = self._window()
        self._next_first += self._stride
        return self._merger.add(window, self._next_first)

    def _window(self) -> Candidates:
        """Score the window from ``_next_first`` on, zeros behind the last snippet."""
        inside = self._snippets - self._next_first
        window = np.zeros((len(self._features[-1]), self._length), np.float32)
        for column, features in enumerate(list(self._features)[-inside:]):
            window[:, column] = features
        return window_candidates(*self._score(window), first=self._next_first, snippets=inside, least_score=self._least)

    def _update(self, final: Candidates, provisional: Candidates) -> Update:
        return Update(self._in_seconds(final), self._in_seconds(provisional))

    def _in_seconds(self, found: Candidates) -> Proposals:
        return in_seconds(found, np.array(self._times_s), first=self._snippets - len(self._times_s))
