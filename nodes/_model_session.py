"""What the nodes that run an exported model share: the session's options, as they stand in a graph file. Not a node."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from errors import UserError
from inference.auto import check_request, open_session
from inference.session import Session


class SessionOptions(NamedTuple):
    """Of :func:`inference.auto.open_session`. ``threads``: compute threads; 0: the available cores."""

    backend: str
    precision: str
    threads: int
    allow_fallback: bool = False
    allow_failed_parity: bool = False

    def check(self, node: str) -> None:
        """Raise :class:`UserError` where one of them is no choice, or cannot be had here. ``node`` begins the error."""
        check_request(self.backend, self.precision)
        if self.threads < 0:
            raise UserError(f"{node}: threads is {self.threads}; give 1 or more, or 0 for the available cores")

    def open(self, model: str | Path) -> Session:
        """Open the exported model in a folder. Raises as :func:`inference.auto.open_session`."""
        return open_session(model, **self._asdict() | {"threads": self.threads or None})
