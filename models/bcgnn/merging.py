"""One list of proposals from windows that overlap: Soft-NMS in the order of time, so that a stream can do it too.

Windows of a video come one after the other, each ``stride`` snippets later. A **candidate** is a segment from one
snippet to a later one with a score (Eq. 8); of a segment that several windows saw the best score counts. A candidate is
**due** once its end is not behind the first snippet of the next window: no window to come has a segment that overlaps
it, so all that bears upon it directly is known. After each window:

1. Soft-NMS over all candidates that are not decided yet gives the proposals as they stand.
2. Of these, the due ones are final: kept with the score that they have, out of the race; each goes on lowering the
   scores of those candidates that were still behind it when it was chosen.
3. The others are provisional. They are candidates again after the next window, as if they had not been chosen.

Plain Soft-NMS over all windows at once does the same but for step 2: there a candidate of the far future can overtake
one that overtakes one that overtakes this one, along any chain of overlaps, so nothing is ever certain before the end
of the video. Here such a chain ends where the next window begins. For a video of one window the two are the same.

What is open spans less than two windows, whatever the length of the video: constant memory. A proposal is final when
the first window that begins at or behind its end is the next to come, which is when at most one window's length of
snippets has followed it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.bcgnn.nms import decay
from models.bcgnn.proposals import Proposals


class Candidates(NamedTuple):
    """``segments`` [K, 2] int64, the numbers of first and last snippet in the video, and ``scores`` [K] float64."""

    segments: np.ndarray
    scores: np.ndarray

    def of(self, chosen: np.ndarray | slice) -> Candidates:
        """Some of them: by index or mask."""
        return Candidates(self.segments[chosen], self.scores[chosen])


NONE = Candidates(np.empty((0, 2), np.int64), np.empty(0))


def window_candidates(
    start: np.ndarray, end: np.ndarray, content: np.ndarray, *, first: int, snippets: int, least_score: float
) -> Candidates:
    """Every segment of one window that scores ``p_s · p_e · p_c ≥ least_score``, in order of start, then end.

    Args:
        start, end: [l_w] probabilities.
        content: [l_w, l_w], 0 where i and j make no segment.
        first: number of the window's first snippet.
        snippets: how many of the window are real; what ends behind them, in the padding, is no candidate.
        least_score: above 0.
    """
    scores = np.float64(start)[:, None] * np.float64(end) * np.float64(content)
    i, j = np.nonzero(scores[:snippets, :snippets] >= least_score)
    return Candidates(np.stack([i, j], axis=1) + first, scores[i, j])


class Merger:
    """Takes the candidates of window after window; see this module.

    Args:
        sigma: of Soft-NMS, see :func:`models.bcgnn.nms.soft_nms`.
        least_score: what has less, at first or once better ones have lowered it, is no proposal. Above 0.
    """

    def __init__(self, *, sigma: float, least_score: float) -> None:
        if not sigma > 0 or not least_score > 0:
            raise ValueError(f"sigma={sigma}, least_score={least_score}: both must be above 0")
        self._sigma, self._least = sigma, least_score
        self._open = NONE
        self._lowered = np.empty(0)  # by what final proposals have multiplied each open score

    def add(self, window: Candidates, next_first: int) -> tuple[Candidates, Candidates]:
        """Take one window; the next one, if there is one, begins at snippet ``next_first``.

        Returns:
            What is final now, and what is provisional, each by falling score.
        """
        self._join(window)
        return self._decide(self._open.segments[:, 1] <= next_first)

    def finish(self) -> Candidates:
        """There is no next window: what is left is final."""
        return self._decide(np.ones(len(self._open.scores), bool))[0]

    def _decide(self, due: np.ndarray) -> tuple[Candidates, Candidates]:
        segments, left = self._open.segments, self._open.scores * self._lowered
        final: list[tuple[int, float]] = []
        provisional: list[tuple[int, float]] = []
        while len(left) and left[best := int(left.argmax())] >= self._least:
            (final if due[best] else provisional).append((best, float(left[best])))
            factors = decay(segments[best], segments, self._sigma)
            if due[best]:
                self._lowered = np.where(left >= 0, self._lowered * factors, self._lowered)
            left = np.where(left >= 0, left * factors, -1)
            left[best] = -1
        found = _chosen(segments, final), _chosen(segments, provisional)
        still_open = ~due & (self._open.scores * self._lowered >= self._least)
        self._open, self._lowered = self._open.of(still_open), self._lowered[still_open]
        return found

    def _join(self, window: Candidates) -> None:
        """Put a window's candidates among the open ones, in order of start, then end; each segment once."""
        segments = np.concatenate([self._open.segments, window.segments])
        scores = np.concatenate([self._open.scores, window.scores])
        lowered = np.concatenate([self._lowered, np.ones(len(window.scores))])
        order = np.lexsort((-scores, segments[:, 1], segments[:, 0]))
        segments, scores, lowered = segments[order], scores[order], lowered[order]
        new = np.ones(len(segments), bool)
        new[1:] = (segments[1:] != segments[:-1]).any(axis=1)
        # A segment that two windows saw begins where no final proposal reaches: neither of the two has been lowered.
        self._open, self._lowered = Candidates(segments[new], scores[new]), lowered[new]


def _chosen(segments: np.ndarray, chosen: list[tuple[int, float]]) -> Candidates:
    indices, scores = [index for index, _ in chosen], [score for _, score in chosen]
    return Candidates(segments[indices], np.array(scores, np.float64))


def in_seconds(found: Candidates, times_s: np.ndarray, *, first: int = 0) -> Proposals:
    """Proposals in seconds: from the middle of the first snippet to that of the last.

    ``times_s``: [≥ all snippets] the middles of the snippets from number ``first`` on.
    """
    return Proposals(times_s[found.segments - first].reshape(-1, 2), found.scores)
