"""The steps of earlier exports: a step whose key is known is not done again.

A step's key is all that its result depends on: the bytes of what goes in, the options, the versions of the libraries,
our own code. Its result is a folder that appears by one rename, whole; one that was killed half-way is never found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from errors import UserError
from inference.manifest import sha256_of

VARIABLE = "RANGECAST_CACHE"
KEY_FILE = "key.json"
_ROOT = Path(__file__).resolve().parent.parent


class Entry(NamedTuple):
    """One finished step in the cache."""

    step: str
    folder: Path
    key: dict[str, str]
    size_bytes: int
    used_s: float
    """When it was last used, in seconds since 1970."""


class _Record(msgspec.Struct):
    """What ``key.json`` holds. ``files``: name → sha256."""

    step: str
    key: dict[str, str]
    files: dict[str, str]


class Result(NamedTuple):
    """A step that is done: its files are in ``folder``, which nobody writes to."""

    folder: Path
    hit: bool
    seconds: float


class StepCache:
    """A folder of finished steps. Several exports may use it at once.

    ``folder``: default ``$RANGECAST_CACHE``, else ``~/.cache/rangecast/export``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rangecast" / "export"
        self.folder = folder or Path(os.environ.get(VARIABLE) or usual)

    def step(self, name: str, key: Mapping[str, str], make: Callable[[Path], None]) -> Result:
        """The result of a step: found, or made by ``make`` in an empty folder that is then given its name.

        A result whose files are not as they were is made again. While one process makes a result, others that want it
        wait. Whatever ``make`` raises passes through and leaves nothing.

        Raises:
            UserError: the cache cannot be written.
        """
        begun = time.monotonic()
        place = self.folder / f"{name}-{_digest(name, key)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(place.with_name(f".{place.name}.lock")):
                if _is_whole(place):
                    os.utime(place)
                    return Result(place, True, time.monotonic() - begun)
                shutil.rmtree(place, ignore_errors=True)
                self._sweep(place.name)
                partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.partial-", dir=self.folder))
                try:
                    make(partial)
                    record = _Record(
                        name, dict(key), {file.name: sha256_of(file) for file in sorted(partial.iterdir())}
                    )
                    (partial / KEY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
                    partial.rename(place)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
        except OSError as error:
            where = error.filename or self.folder
            raise UserError(
                f"{where}: the export cache cannot be written: {error.strerror}; make room, or set {VARIABLE} to "
                "another folder"
            ) from error
        return Result(place, False, time.monotonic() - begun)

    def entries(self) -> list[Entry]:
        """All finished steps, the last used first."""
        found = []
        for folder in self.folder.glob("[!.]*") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError, msgspec.DecodeError):
                record = msgspec.json.decode((folder / KEY_FILE).read_bytes(), type=_Record)
                size = sum(file.stat().st_size for file in folder.iterdir())
                found.append(Entry(record.step, folder, record.key, size, folder.stat().st_mtime))
        return sorted(found, key=lambda entry: -entry.used_s)

    def prune(self, older_than_days: float) -> list[Entry]:
        """Remove what was not used for so long, and what killed exports left; return what was removed."""
        limit_s = time.time() - older_than_days * 86_400
        removed = [entry for entry in self.entries() if entry.used_s <= limit_s]
        for entry in removed:
            with _locked(entry.folder.with_name(f".{entry.folder.name}.lock")):
                shutil.rmtree(entry.folder, ignore_errors=True)
        return removed

    def _sweep(self, name: str) -> None:
        """Remove what killed exports of this very step left. We hold its lock: nobody is making it now."""
        for partial in self.folder.glob(f".{name}.partial-*"):
            shutil.rmtree(partial, ignore_errors=True)


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of installed packages, without importing them; ``none`` for those that are not there."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def code_sha256(*paths: str) -> str:
    """Of our own source, files and folders of them: what they make may change when they do."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted((_ROOT / path).rglob("*.py")) or [_ROOT / path]:
            digest.update(f"{file.relative_to(_ROOT)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _digest(name: str, key: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode([name, sorted(key.items())])).hexdigest()[:24]


def _is_whole(folder: Path) -> bool:
    try:
        record = msgspec.json.decode((folder / KEY_FILE).read_bytes(), type=_Record)
        return all(sha256_of(folder / name) == sha256 for name, sha256 in record.files.items())
    except (OSError, msgspec.DecodeError):
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; the kernel lets go of it when a process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
