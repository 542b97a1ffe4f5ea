"""What is wrong with a graph file: collected, so that one run names several mistakes, each on one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from errors import UserError

SHOWN = 5


class Problems:
    """The mistakes found in one graph file. ``overridden``: paths that ``--set`` gave."""

    def __init__(self, file: str, overridden: Sequence[str] = ()) -> None:
        self.file = file
        self.overridden = overridden
        self.lines: list[str] = []

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, path: str, text: str) -> None:
        """Note a problem at ``path`` (``nodes.fusion.inputs.scan``; empty: the whole file). Repeats are noted once."""
        given = any(path == key or path.startswith(f"{key}.") for key in self.overridden)
        where = f"{path} (--set): " if given else f"{path}: " if path else ""
        line = " ".join(f"{self.file}: {where}{text}".splitlines())  # also a key may hold a line break
        if line not in self.lines:
            self.lines.append(line)

    def raise_if_any(self) -> None:
        """Raise :class:`errors.UserError` with the first few problems, one line each."""
        if not self.lines:
            return
        rest = len(self.lines) - SHOWN
        shown = self.lines if rest <= 0 else [*self.lines[:SHOWN], f"{self.file}: and {rest} more"]
        raise UserError("\n".join(shown))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or else all of them where they are few."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(choices)}" if 0 < len(choices) <= 30 else ""
