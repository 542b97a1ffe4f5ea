"""The folder that an export leaves: whole, or as it was before."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from errors import UserError
from inference.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of, write_manifest


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """An empty folder on the same disk as ``out``, gone afterwards.

    Raises:
        UserError: nothing can be written there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out}: is a file; give a folder")
        probe = out if out.is_dir() else out.parent
        if not os.access(probe, os.W_OK):
            raise UserError(f"--out {out}: cannot be written: Permission denied; give another folder")
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}; give another folder") from error
    try:
        yield folder
    except OSError as error:
        raise UserError(
            f"--out {out}: cannot be written: {error.strerror}; make room or give another folder"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def share(source: Path, folder: Path, name: str) -> str:
    """``source`` as ``folder/name``: a copy, as cheap as the disk makes it. Returns the copy's sha256."""
    shutil.copyfile(source, folder / name)
    return sha256_of(folder / name)


def place(staged: Path, out: Path, manifest: Manifest) -> Manifest:
    """Move what is in ``staged`` to ``out`` and write its manifest, last: without it the folder is no model.

    What an earlier export left there goes; files that no export made stay.

    Raises:
        UserError: ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        earlier = _files_of(out)
        (out / MANIFEST_NAME).unlink(missing_ok=True)
        for name in earlier:
            (out / name).unlink(missing_ok=True)
        for file in sorted(staged.iterdir()):
            if file.name != MANIFEST_NAME:
                file.replace(out / file.name)
    except OSError as error:
        raise UserError(
            f"{error.filename or out}: cannot be written: {error.strerror}; the export is not there"
        ) from error
    return write_manifest(out, manifest)


def require_free(out: Path, force: bool) -> None:
    """Raise :class:`UserError` where ``out`` holds something that nobody said may be replaced."""
    if force or not out.is_dir() or not any(out.iterdir()):
        return
    what = "an exported model" if (out / MANIFEST_NAME).exists() else "other files"
    raise UserError(f"--out {out}: holds {what}; give another folder, or --force to replace what an export made")


def is_same(out: Path, request: Mapping[str, str]) -> bool:
    """Whether ``out`` is what this request made."""
    with contextlib.suppress(UserError):
        return read_manifest(out).provenance.request == dict(request)
    return False


def _files_of(out: Path) -> list[str]:
    try:
        manifest = read_manifest(out)
    except UserError:
        return []
    return [manifest.graph, "layers.json", *(name for artifact in manifest.artifacts for name in artifact.files)]


def encode(manifest: Manifest) -> bytes:
    """For a step's folder."""
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
