"""Write the proposals of a video as ActivityNet's result JSON, at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from errors import UserError
from formats import video as video_files
from formats.temporal.results import Proposals, write_results
from nodes._output import check_file, keep_earlier, make_folder
from pipeline.messages import ActionProposals

log = logging.getLogger(__name__)


class ProposalSink:
    """One file with the final proposals, best first; whole or not at all. ``run.py evaluate proposals`` reads it.

    Times are seconds after the video's first frame. Where proposals break off, because the node that makes them
    failed or the run was cut off, there is no file.

    Args:
        out: the file to write, ``….json``; its folder is made where it is missing.
        video: the video's path or name: what it is called in the file, and in the annotations.
    """

    def __init__(self, out: str, video: str) -> None:
        self.out = Path(out)
        self.video = _name(video)
        self._scores: dict[tuple[float, float], float] = {}
        self._complete = False

    @classmethod
    def check(cls, out: str, video: str) -> None:
        """Raise :class:`UserError` where the file cannot be written or the video has no name."""
        if Path(out).suffix.lower() != ".json":
            raise UserError(f"{out}: the proposals are JSON; give a name that ends in .json")
        if not _name(video):
            raise UserError(f"proposal_sink: video is {video!r}; give the video's path or name")
        check_file(Path(out))

    def process(self, proposals: ActionProposals) -> None:
        """Remember what is final; it is in several messages."""
        self._complete |= proposals.complete
        for found in proposals.proposals:
            if found.final:
                self._scores[found.start_s, found.end_s] = found.score

    def finish(self) -> Iterator[ActionProposals]:
        """Write the file."""
        if not self._complete:
            log.error("the proposals broke off before the end of the video: %s is not written", self.out)
            return iter(())
        make_folder(self.out.parent)
        keep_earlier(self.out)
        segments_s = np.array(list(self._scores), np.float64).reshape(-1, 2)
        scores = np.array(list(self._scores.values()), np.float64)
        order = np.lexsort((segments_s[:, 1], segments_s[:, 0], -scores))
        write_results(self.out, {self.video: Proposals(segments_s=segments_s[order], scores=scores[order])})
        return iter(())


def _name(video: str) -> str:
    path = Path(video)
    return path.stem if path.suffix.lower() in video_files.SUFFIXES else path.name
