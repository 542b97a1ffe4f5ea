"""From features of snippets to proposals of actions, while the video runs: BC-GNN on sliding windows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from errors import DataAbsentError, UserError
from inference.bcgnn import describe, require_step
from inference.manifest import load_manifest
from nodes._model_session import SessionOptions
from pipeline.messages import ActionProposal, ActionProposals, SnippetFeatures

if TYPE_CHECKING:
    from models.bcgnn.proposals import Proposals

log = logging.getLogger(__name__)

_REMEMBERED_WINDOWS = 2


class ActionProposer:
    """One :class:`ActionProposals` per snippet; what it says changes whenever a window was scored.

    :mod:`models.bcgnn.stream` says when a proposal becomes final. A gap in the snippets ends what is before it: no
    proposal reaches across (``gaps``).

    Args:
        model: folder of an exported bcgnn model, trained on sliding windows.
        stride: snippets from one window to the next: the smaller, the earlier an action is noticed, and the more is
            computed.
        sigma: of Soft-NMS: the smaller, the more an overlap with a better proposal costs.
        least_score: what scores less is no proposal; above 0, to 1.
        backend, precision, allow_fallback, allow_failed_parity: see :func:`inference.auto.open_session`.
        threads: compute threads; 0: the available cores.
    """

    def __init__(
        self,
        model: str,
        stride: int = 8,
        sigma: float = 0.4,
        least_score: float = 0.05,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        self.model = model
        self._options = SessionOptions(backend, precision, threads, allow_fallback, allow_failed_parity)
        self.stride = stride
        self.sigma = sigma
        self.least_score = least_score
        self.counters: Counter[str] = Counter()
        self._last: SnippetFeatures | None = None
        self._said_ns: int | None = None
        self._step_s: float | None = None
        self._final: list[ActionProposal] = []
        self._provisional: list[ActionProposal] = []

    @classmethod
    def check(
        cls,
        model: str,
        stride: int = 8,
        sigma: float = 0.4,
        least_score: float = 0.05,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        """Raise :class:`DataAbsentError` where there is no model folder, :class:`UserError` where it is damaged or of
        another kind, or a parameter is wrong."""
        SessionOptions(backend, precision, threads).check("proposals")
        if not Path(model).is_dir():
            raise DataAbsentError(f"{model}: no such folder; train a BC-GNN and export it there (docs/proposals.md)")
        _, length, windows = describe(model, load_manifest(model))
        if windows.style != "sliding":
            raise UserError(
                f"{model}: was trained on whole videos rescaled to one window, which a stream cannot be; give a model "
                "trained with windows.style sliding"
            )
        if not 1 <= stride <= length:
            raise UserError(f"proposals: stride is {stride}; give 1 to {length} snippets, the length of a window")
        if not sigma > 0:
            raise UserError(f"proposals: sigma is {sigma}; give a number above 0, such as 0.4")
        if not 0 < least_score <= 1:
            raise UserError(f"proposals: least_score is {least_score}; give a score above 0, to 1")

    def open(self) -> None:
        """Load the model and run it once."""
        self._session = self._options.open(self.model)
        self._dimension, self._length, self._windows = describe(self.model, self._session.manifest)
        self._step_s = self._windows.step_s
        self._score(np.zeros((self._dimension, self._length), np.float32))
        self._begin()

    def process(self, snippet: SnippetFeatures) -> ActionProposals | None:
        """Take one snippet. None where its stamp is that of the snippet before: the next message says it too.

        Raises:
            UserError: the features are not of the dimension, or the snippets not as far apart, as the model was trained
                on.
            ValueError: a feature is not finite.
        """
        self._check(snippet)
        if self._last is not None and self._is_gap(self._last, snippet):
            log.warning("snippets are missing between %.1f and %.1f s", self._last.end_s, snippet.start_s)
            self.counters["gaps"] += 1
            self._end()
            self._begin()
        self._last = snippet
        update = self._stream.add(snippet.features, (snippet.start_s + snippet.end_s) / 2)
        if update is not None:
            self._final += _messages(update.final, final=True)
            self._provisional = _messages(update.provisional, final=False)
        if snippet.header.stamp_ns == self._said_ns:
            return None
        self._said_ns = snippet.header.stamp_ns
        return self._known(snippet)

    def finish(self) -> Iterator[ActionProposals]:
        """The end of the video: what is left becomes final, a nanosecond after the last message."""
        if self._last is None:
            yield ActionProposals(complete=True)
            return
        self._end()
        known = self._known(self._last)
        header = msgspec.structs.replace(known.header, stamp_ns=known.header.stamp_ns + 1)
        yield msgspec.structs.replace(known, header=header, complete=True)

    def close(self) -> None:
        """Close the session."""
        if hasattr(self, "_session"):
            self._session.close()

    def _begin(self) -> None:
        from models.bcgnn.stream import ProposalStream

        self._stream = ProposalStream(
            self._score, length=self._length, stride=self.stride, sigma=self.sigma, least_score=self.least_score
        )

    def _end(self) -> None:
        self._final += _messages(self._stream.finish(), final=True)
        self._provisional = []

    def _score(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        outputs = self._session.infer({"features": window[None]})
        return outputs["start"][0], outputs["end"][0], outputs["content"][0]

    def _check(self, snippet: SnippetFeatures) -> None:
        if len(snippet.features) != self._dimension:
            raise UserError(
                f"the snippets have {len(snippet.features)} features, but {self.model} takes {self._dimension}: use "
                f"the features that it was trained on"
            )
        if not np.isfinite(snippet.features).all():
            raise ValueError(f"the features of the snippet at {snippet.start_s:.2f} s are not finite numbers")

    def _is_gap(self, before: SnippetFeatures, snippet: SnippetFeatures) -> bool:
        """Whether a snippet or more is missing; the model says how far one is from the next, or the first two do."""
        step_s = snippet.start_s - before.start_s
        if self._step_s is None:
            self._step_s = step_s
        if snippet.begin_ns != before.begin_ns:
            return True
        if step_s > 1.5 * self._step_s and snippet.start_s > before.end_s:
            return True
        require_step(self.model, self._windows, step_s)
        return False

    def _known(self, snippet: SnippetFeatures) -> ActionProposals:
        step_s = self._step_s or snippet.end_s - snippet.start_s
        oldest_s = snippet.end_s - _REMEMBERED_WINDOWS * self._length * step_s
        known = ActionProposals(
            header=snippet.header,
            proposals=(*self._final, *self._provisional),
            begin_ns=snippet.begin_ns,
            open_after_s=snippet.end_s - self.stride * step_s,
        )
        self._final = [proposal for proposal in self._final if proposal.end_s > oldest_s]
        return known


def _messages(found: Proposals, *, final: bool) -> list[ActionProposal]:
    pairs = zip(found.segments_s.tolist(), found.scores.tolist(), strict=True)
    return [ActionProposal(start_s, end_s, score, final) for (start_s, end_s), score in pairs]
