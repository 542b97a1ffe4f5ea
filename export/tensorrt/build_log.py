"""The log of one build: kept in a file whatever comes of the build, and asked afterwards for errors and memory."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import IO

from errors import UserError

_MEMORY = {
    "weights_bytes": re.compile(r"Total Weights Memory: (\d+) bytes"),
    "activation_bytes": re.compile(r"Total Activation Memory: (\d+) bytes"),
    "scratch_bytes": re.compile(r"Max Scratch Memory: (\d+) bytes"),
}


class BuildLog:
    """Takes the lines of a library's logger. A context manager: closes the file.

    Attributes:
        path: of the file.
        errors: the lines at level ERROR and above, without the library's mark of who says it.
        complaints: how many lines were warnings or errors.

    Raises:
        UserError: ``path`` cannot be written; on leaving, if the disk was full meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: list[str] = []
        self.complaints = 0
        self._memory: dict[str, int] = {}
        self._failure: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise UserError(f"{path}: the log of the build cannot be written: {error.strerror}") from error

    def write(self, level: str, line: str) -> None:
        """Take one line. Never raises: the library calls it from C++."""
        if level in ("ERROR", "INTERNAL_ERROR"):
            self.errors.append(_without_origin(line))
        if level in ("ERROR", "INTERNAL_ERROR", "WARNING"):
            self.complaints += 1
        for name, pattern in _MEMORY.items():
            if found := pattern.search(line):
                self._memory[name] = int(found[1])
        if self._file.closed:  # what is freed after the build may still have something to say
            return
        try:
            self._file.write(f"[{level}] {line}\n")
        except OSError as error:
            self._failure = error

    def memory(self, name: str) -> int | None:
        """``weights_bytes``, ``activation_bytes`` or ``scratch_bytes``, as the library stated it last."""
        return self._memory.get(name)

    @property
    def last_error(self) -> str:
        """What the library complained of last, in a line of bearable length; the file has the whole."""
        return self.errors[-1][:200] if self.errors else "it does not say why"

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            self._failure = failure
        if self._failure is not None and error is None:
            raise UserError(f"{self.path}: the log of the build cannot be written: {self._failure.strerror}")


def _without_origin(line: str) -> str:
    """What is said between ``IBuilder::build…: Error Code 4: API Usage Error (`` and ``In … at …)``, in one line."""
    text = " ".join(line.split())
    found = re.match(r"(?:\S+ )?Error Code \d+: [^(]*\((.*?)\.?(?: In \S+ at \S+.*)?\)$", text)
    return found[1] if found else text
