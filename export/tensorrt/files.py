"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import whole_files
from errors import UserError


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write ``path``, and its folder: nobody ever sees a part of it, and after a crash it is the old file, the new one,
    or absent.

    Raises:
        UserError: it cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole_files.write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
