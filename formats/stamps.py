"""Time stamps of recordings, exact to the nanosecond.

KITTI odometry: ``times.txt``, one line per frame, seconds since the first (``1.037359e-01``). KITTI raw:
``timestamps.txt``, one line per frame, date and time with nine decimals; the zone is not stated and UTC is assumed.
Floats are never used on the way: seconds since 1970 with nine decimals do not fit in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from errors import UserError

NS_PER_S = 1_000_000_000

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64_MAX = 2**63 - 1


def seconds_to_ns(text: str) -> int:
    """Decimal seconds to nanoseconds, rounded to the nearest: ``"1.037359e-01"`` → 103735900.

    Raises:
        ValueError: not a number, not finite, or more than 64 bits of nanoseconds.
    """
    try:
        seconds = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text.strip()!r} is not a time in seconds") from None
    if not seconds.is_finite() or abs(seconds) > _INT64_MAX // NS_PER_S:
        raise ValueError(f"{text.strip()!r} is not a usable time in seconds")
    return round(Fraction(seconds) * NS_PER_S)


def date_time_to_ns(text: str) -> int:
    """Date and time, taken as UTC, to nanoseconds since 1970: ``"2011-09-26 13:02:25.967790592"``.

    Raises:
        ValueError: not of that form, or no such date.
    """
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} is not a date and time like 2011-09-26 13:02:25.967790592")
    try:
        moment = datetime.fromisoformat(f"{match[1]}+00:00")
    except ValueError as error:
        raise ValueError(f"{text.strip()!r} is not a date and time that exists: {error}") from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    if abs(seconds) >= _INT64_MAX // NS_PER_S:
        raise ValueError(f"{text.strip()!r} is not a date and time that 64 bits of nanoseconds can hold")
    return seconds * NS_PER_S + int((match[2] or "").ljust(9, "0"))


def read_times(path: Path) -> list[int | None]:
    """KITTI odometry's ``times.txt``: nanoseconds per line. See :func:`read_timestamps` for empty lines and errors."""
    return _read_lines(path, seconds_to_ns)


def read_timestamps(path: Path) -> list[int | None]:
    """KITTI raw's ``timestamps.txt``: nanoseconds since 1970 per line.

    An empty line between others keeps its place and is None: the frame of that number has no stamp.

    Raises:
        UserError: the file cannot be read, or a line is not a stamp.
    """
    return _read_lines(path, date_time_to_ns)


def _read_lines(path: Path, parse: Callable[[str], int]) -> list[int | None]:
    try:
        lines = path.read_text(encoding="ascii").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a list of time stamps: {error}") from error
    stamps: list[int | None] = []
    for number, line in enumerate(lines, start=1):
        try:
            stamps.append(parse(line) if line.strip() else None)
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}: {error}; mend the line, or empty it to leave that frame out"
            ) from error
    return stamps


def frame_numbers(files: Sequence[Path]) -> list[int] | None:
    """The number each file name is (``0000000042.bin`` → 42), or None where not every name is a number."""
    if all(file.stem.isascii() and file.stem.isdigit() for file in files):
        return [int(file.stem) for file in files]
    return None


def stamps_of(files: Sequence[Path], lines: Sequence[int | None], where: Path) -> list[int | None]:
    """The stamp of each file: line ``n`` belongs to the file whose name is the number ``n``, counted from 0.

    Where the names are not such numbers, and there are as many lines as files, they go together in order.

    Raises:
        UserError: fewer lines than files, or more and the names do not say which belongs to which.
    """
    if len(lines) < len(files):
        raise UserError(
            f"{where} has {len(lines)} lines for {len(files)} frames in {files[0].parent}; "
            "complete it, or take it away to assume a rate"
        )
    numbers = frame_numbers(files)
    if numbers is not None and max(numbers, default=0) < len(lines):
        return [lines[number] for number in numbers]
    if len(lines) == len(files):
        return list(lines)
    raise UserError(
        f"{where} has {len(lines)} lines for {len(files)} frames in {files[0].parent}, and the file names "
        f"({files[0].name} … {files[-1].name}) do not say which line is whose; "
        "name the files by their line, counted from 0"
    )


def nominal_stamps(numbers: Sequence[int], rate_hz: float | Fraction) -> list[int]:
    """Stamps of frames with these numbers, in nanoseconds, at a constant rate; frame 0 is at 0."""
    period_ns = NS_PER_S / Fraction(rate_hz)
    stamps = [round(number * period_ns) for number in numbers]
    if stamps and max(stamps) > _INT64_MAX:
        raise UserError(
            f"frame number {max(numbers)} at {rate_hz:g} Hz lies beyond 292 years; rename the files from 0 on"
        )
    return stamps
