"""What a profile leaves: raw samples, and on what they were taken, as JSON; read back to be compared with."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from errors import UserError
from profiling import machine
from whole_files import write_whole

FORMAT_VERSION = 1
MACHINE = "machine."
"""How the names of series begin that time the machine itself, not what is profiled: they are never judged."""


Kind = Literal["model", "pipeline", "capacity", "transport"]


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One quantity, with every sample that was taken of it.

    Attributes:
        name: dotted, as a user would call it: ``segmentation.compute``, ``openvino bf16.inference``.
        unit: ``ms``, ``MB``, ``1/s``.
        better: whether less or more of it is wanted.
        runs: samples in the order in which they were taken, a list per repetition (a fresh process or a fresh round):
            how far repetitions differ tells noise from change.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"]
    runs: list[list[float]]

    @property
    def samples(self) -> list[float]:
        """Those of all repetitions."""
        return [sample for run in self.runs for sample in run]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measurement.

    Attributes:
        kind: the verb that made it.
        command: its arguments; ``started_utc``: when, ISO 8601.
        machine, configuration: what must be equal for two profiles to be compared.
        versions: of the libraries and of what is profiled: they may differ, which is said.
        series: what was measured, names unique.
    """

    kind: Kind
    command: list[str]
    started_utc: str
    machine: dict[str, str]
    versions: dict[str, str]
    configuration: dict[str, str]
    series: list[Series]
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        names = [series.name for series in self.series]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two series are called {twice[0]!r}")


def taken_now(
    kind: Kind,
    command: Sequence[str],
    configuration: dict[str, str],
    series: Sequence[Series] = (),
    versions: Mapping[str, str] | None = None,
) -> Profile:
    """A profile of this machine. ``versions``: of what is profiled, beside those of the libraries."""
    return Profile(
        kind=kind,
        command=list(command),
        started_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=machine.describe(),
        versions=machine.versions() | dict(versions or {}),
        configuration=configuration,
        series=list(series),
    )


def write(profile: Profile, path: Path) -> None:
    """Write ``profile`` as JSON: whole, or not at all.

    Raises:
        UserError: ``path`` cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n"
    try:
        write_whole(path, text)
    except OSError as error:
        raise _cannot_write(path, error) from error


def read(path: Path) -> Profile:
    """The profile in the file ``path``.

    Raises:
        UserError: no such file, or it is no profile, or one of another format.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; give a file that --out wrote") from error
    try:
        version = msgspec.json.decode(text, type=_Versioned).format_version
        if version != FORMAT_VERSION:
            raise UserError(f"{path}: profile format {version}, this Rangecast reads {FORMAT_VERSION}; profile again")
        return msgspec.json.decode(text, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not a profile ({error}); give a file that --out wrote") from error


def require_writable(path: Path) -> None:
    """Raise :class:`UserError` where :func:`write` would fail: asked before minutes are spent on measuring."""
    try:
        if path.is_dir():
            raise UserError(f"--out {path}: is a folder; give a file")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def finish(profile: Profile, out: Path | None, against: Path | None) -> int:
    """What every ``run.py profile`` ends with: write to ``out``, compare with the profile in ``against``, and print.

    Returns:
        The exit code: 1 where something got slower, else 0.

    Raises:
        UserError: ``out`` cannot be written; ``against`` is none, or of another machine or configuration.
    """
    if out is not None:
        write(profile, out)
    if against is None:
        return 0
    from profiling.against import compare, show

    comparison = compare(read(against), profile, against)
    show(comparison)
    return 1 if comparison.regressions else 0


class _Versioned(msgspec.Struct):
    """Of a profile of any format, what says which."""

    format_version: int


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(f"--out {path}: cannot be written: {error.strerror}; give another file")
