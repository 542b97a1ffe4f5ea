"""The frames of one sensor of a recording: their files in order, and when each was measured."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from errors import DataAbsentError, UserError
from formats.calibration import CameraCalibration
from formats.stamps import frame_numbers, nominal_stamps


class SensorFrames(msgspec.Struct, frozen=True, kw_only=True):
    """``stamps_ns`` has one entry per file, None where the recording has none for it.

    ``notes`` is what the user should know: what had to be assumed, what is missing beside the frames.
    """

    frame_id: str
    files: list[Path]
    stamps_ns: list[int | None]
    notes: list[str] = []
    calibration: CameraCalibration | None = None


def list_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with one of the suffixes (lower case, with the dot), numbers in their names in numerical order."""
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
    return sorted(files, key=_natural_order)


def list_sensor_files(folder: Path, suffixes: Collection[str], sensor: str) -> list[Path]:
    """:func:`list_files` of a sensor's folder. Raises :class:`errors.DataAbsentError` where there is nothing in it."""
    files = list_files(folder, suffixes) if folder.is_dir() else []
    if not files:
        raise DataAbsentError(f"no {sensor}: no {' or '.join(sorted(suffixes))} files in {folder}")
    return files


def assumed_stamps(files: list[Path], rate_hz: float, by_number: bool) -> tuple[list[int | None], str]:
    """Stamps at a constant rate, and the words that say so.

    ``by_number``: the file names are frame numbers, so that a missing file leaves a gap and the sensors of one
    recording stay together. Otherwise, and where the names are no numbers, the files are counted.
    """
    numbers = frame_numbers(files) if by_number else None
    stamps: list[int | None] = [*nominal_stamps(range(len(files)) if numbers is None else numbers, rate_hz)]
    counted = "the numbers in the file names" if numbers is not None else "the files"
    return stamps, f"stamps at {rate_hz:g} Hz are assumed from 0 s on, counting {counted}"


def _natural_order(file: Path) -> list[tuple[int, str]]:
    pieces = re.split(r"([0-9]+)", file.name)
    # The pattern is a group, so every second piece is a number.
    return [(int(piece), piece) if index % 2 else (0, piece) for index, piece in enumerate(pieces)]
