"""From camera frames to features of snippets, by an exported two-stream encoder."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inference.manifest import load_manifest
from inference.two_stream import describe
from nodes._model_session import SessionOptions
from pipeline.messages import CameraFrame, Header, SnippetFeatures

if TYPE_CHECKING:
    from models.two_stream.snippets import Snippet

log = logging.getLogger(__name__)


class SnippetEncoder:
    """Zero or more :class:`SnippetFeatures` per frame: of the snippets that it completes.

    Frames may come at any rate, and some may be missing: see :class:`models.two_stream.snippets.Snippeter`. Samples for
    which there was no newer frame are counted (``samples_repeated``). After a gap that is longer than it allows the
    snippets begin anew (``gaps``).

    Args:
        model: folder of an exported two-stream model.
        backend, precision, allow_fallback, allow_failed_parity: see :func:`inference.auto.open_session`.
        threads: compute threads; 0: the available cores.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        self.model = model
        self._options = SessionOptions(backend, precision, threads, allow_fallback, allow_failed_parity)
        self.counters: Counter[str] = Counter()
        self._first_ns: int | None = None
        self._last = Header()

    @classmethod
    def check(
        cls,
        model: str,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        """Raise :class:`UserError` where the model folder is damaged or of another kind, or a parameter is wrong."""
        SessionOptions(backend, precision, threads).check("snippet_features")
        describe(model, load_manifest(model))

    def open(self) -> None:
        """Load the model and run it once."""
        from models.two_stream.snippets import SnippetSettings

        self._session = self._options.open(self.model)
        profile = describe(self.model, self._session.manifest).snippet
        self._settings = SnippetSettings(**msgspec.structs.asdict(profile))
        self._begin()
        self._session.infer({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in self._session.inputs})

    def process(self, image: CameraFrame) -> list[SnippetFeatures]:
        """Take one frame.

        Raises:
            UserError: its stamp is not later than that of the frame before.
        """
        from models.two_stream.snippets import LONGEST_GAP_S

        stamp_ns = image.header.stamp_ns
        if self._first_ns is None:
            self._first_ns = stamp_ns
        elif stamp_ns - self._last.stamp_ns > LONGEST_GAP_S * 1e9:
            gap_s = (stamp_ns - self._last.stamp_ns) / 1e9
            log.warning("no frame for %.1f s before %s: the snippets begin anew", gap_s, image.header.name)
            self.counters["gaps"] += 1
            self._begin()
        self._last = image.header
        snippets = self._snippeter.add(image.image, (stamp_ns - self._first_ns) / 1e9)
        return [self._features(snippet) for snippet in snippets]

    def finish(self) -> Iterator[SnippetFeatures]:
        """What the last frame leaves complete."""
        for snippet in self._snippeter.finish():
            yield self._features(snippet)
        if self._first_ns is not None and not self.counters["snippets"]:
            length_s = (self._last.stamp_ns - self._first_ns) / 1e9
            log.warning(
                "the video ended after %.2f s, before its first snippet of %g s was complete: it has no features",
                *(length_s, self._settings.snippet_s),
            )

    def close(self) -> None:
        """Close the session."""
        if hasattr(self, "_session"):
            self._session.close()

    def _begin(self) -> None:
        from models.two_stream.snippets import Snippeter

        self._snippeter = Snippeter(self._settings)

    def _features(self, snippet: Snippet) -> SnippetFeatures:
        self.counters["snippets"] += 1
        self.counters["samples_repeated"] += snippet.repeated
        outputs = self._session.infer({"rgb": snippet.rgb[None], "flow": snippet.flow[None]})
        return SnippetFeatures(
            header=self._last,
            features=outputs["features"][0].copy(),
            start_s=snippet.start_s,
            end_s=snippet.end_s,
            begin_ns=self._first_ns or 0,
        )
