"""What the sinks of JSON lines share. Not a node."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from nodes._output import check_file, keep_earlier, make_folder


class LineSink:
    """One JSON value per line. Each line is written in one piece: whoever kills the run, or reads along, finds whole
    lines only.

    Args:
        out: the file to write, usually ``….jsonl``; its folder is made where it is missing, and what is there already
            is kept aside.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self._file: FileIO | None = None

    @classmethod
    def check(cls, out: str) -> None:
        """Raise :class:`UserError` where the file cannot be written."""
        check_file(Path(out))

    def open(self) -> None:
        """Make the folder, open the file."""
        make_folder(self.out.parent)
        keep_earlier(self.out)
        self._file = FileIO(self.out, "w")

    def append(self, value: Any) -> None:
        """Write one line. Raises RuntimeError where the file is not open."""
        if self._file is None:
            raise RuntimeError(f"{self.out}: is not open")
        line = memoryview(msgspec.json.encode(value) + b"\n")
        while line:  # one write in all but name: only a full disk or a signal makes it short
            line = line[self._file.write(line) :]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
