"""What the sinks share: can this output be written, and what if it is there already. Not a node."""

from __future__ import annotations

import itertools
import logging
import tempfile
from pathlib import Path

from errors import UserError

log = logging.getLogger(__name__)


def check_folder(folder: Path) -> None:
    """Raise :class:`UserError` unless files can be written in ``folder``, or in the folder it would be made in.

    Permissions are not asked for but tried: root may write anywhere, except where the file system says no.
    """
    existing = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    if not existing.is_dir():
        raise UserError(f"{folder}: cannot be made, {existing} is a file; give another output folder")
    try:
        with tempfile.TemporaryDirectory(prefix=".rangecast-", dir=existing):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another output folder") from error


def check_file(path: Path) -> None:
    """Raise :class:`UserError` unless ``path`` can be written as a file."""
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the path of a file")
    check_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents; :class:`UserError` where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give another output folder") from error


def keep_earlier(path: Path) -> None:
    """Move a file that is already at ``path`` aside, to ``<stem>.1<suffix>`` and so on.

    A sink that was restarted in mid-run would otherwise overwrite what it wrote before.
    """
    if not path.exists():
        return
    aside = next(p for i in itertools.count(1) if not (p := path.with_name(f"{path.stem}.{i}{path.suffix}")).exists())
    path.rename(aside)
    log.warning("%s was there already: kept as %s", path, aside.name)
