"""Files that are there whole or not at all. Every package may import this module; it imports nothing of ours."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

_count = itertools.count()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path``, with its suffix, for the body to write to: then it takes the place of ``path``.

    Whoever reads ``path`` meanwhile sees the old file or the new one. Where anything goes wrong, nothing is left beside
    it. Raises OSError where it cannot be renamed.
    """
    partial = path.with_name(f".partial-{os.getpid()}-{next(_count)}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write ``path``, so that after a crash of the machine, too, it is the old file or the new one. Raises OSError."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
