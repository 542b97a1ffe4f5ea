"""Which labelled scans are scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from formats.labelled_scans import Recording, ScanFiles, find_recordings, scans_of

VALIDATION = "08"
"""The benchmark's validation sequence: what is scored of a SemanticKITTI root where nothing else is asked for."""


class Selection(NamedTuple):
    """``left_out``: sequences that have no labels, where all were asked for."""

    scans: list[ScanFiles]
    left_out: list[str]


def select_scans(data: Path, sequences: str | None = None) -> Selection:
    """The scans of ``data`` in order, each with its labels.

    Args:
        data: as :func:`formats.labelled_scans.find_recordings` takes it.
        sequences: names with commas between them, or ``all``. None: 08 of a SemanticKITTI root, else all.

    Raises:
        UserError: nothing to score there, a sequence that is not there, a scan without labels or labels without scan.
    """
    found = {recording.name: recording for recording in find_recordings(data)}
    single = any(recording.folder == data for recording in found.values())
    if single and sequences not in (None, "all"):
        raise UserError(f"--sequences {sequences}: {data} is one recording; leave --sequences out")
    if sequences is None:
        sequences = VALIDATION if (data / "sequences").is_dir() and not single else "all"
    chosen = list(found.values()) if sequences == "all" else _named(sequences, found, data)
    left_out = [recording.name for recording in chosen if sequences == "all" and not recording.has_labels]
    scans = [scan for recording in chosen if recording.name not in left_out for scan in scans_of(recording)]
    return Selection(scans, left_out)


def _named(sequences: str, found: Mapping[str, Recording], data: Path) -> list[Recording]:
    names = list(dict.fromkeys(name.strip() for name in sequences.split(",") if name.strip()))
    absent = [name for name in names if name not in found]
    if absent or not names:
        raise UserError(
            f"--data {data}: no sequence {absent[0] if absent else sequences!r}; give --sequences all, or some of "
            f"{', '.join(found)}"
        )
    return [found[name] for name in names]
