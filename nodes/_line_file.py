"""A file of JSON lines, as sinks write it. Not a node."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from nodes._output import check_file, keep_earlier, make_folder


class LineFile:
    """One JSON value per line. Each line is written in one piece: whoever kills the run, or reads along, finds whole
    lines only.

    Args:
        path: usually ``….jsonl``; its folder is made where it is missing, and what is there already is kept aside.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def check(self) -> None:
        """Raise :class:`UserError` where the file cannot be written."""
        check_file(self.path)

    def open(self) -> None:
        """Make the folder, open the file."""
        make_folder(self.path.parent)
        keep_earlier(self.path)
        self._file = FileIO(self.path, "w")

    def append(self, value: Any) -> None:
        """Write one line. Raises RuntimeError where the file is not open."""
        if self._file is None:
            raise RuntimeError(f"{self.path}: is not open")
        line = memoryview(msgspec.json.encode(value) + b"\n")
        while line:  # one write in all but name: only a full disk or a signal makes it short
            line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
