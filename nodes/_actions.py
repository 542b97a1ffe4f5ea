"""What the video sinks share: proposals as a time line's bars. Not a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from errors import UserError
from pipeline.messages import ActionProposals

if TYPE_CHECKING:
    from viewing.timeline import Stretch


def check_timeline(node: str, timeline_s: float) -> None:
    """Raise :class:`UserError` where the time that a time line spans is out of range."""
    if not 1 <= timeline_s <= 3600:
        raise UserError(f"{node}: timeline_s is {timeline_s}; give seconds, 1..3600")


def stretches(known: ActionProposals | None) -> tuple[Stretch, ...]:
    """A bar per proposal, in seconds after ``known.begin_ns``."""
    from viewing.timeline import Stretch

    return tuple(Stretch(p.start_s, p.end_s, p.score, p.final) for p in known.proposals) if known else ()
