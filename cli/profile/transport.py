"""``run.py profile transport``: what a message costs on its way, beside plain pyzmq, Zenoh and dora-rs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    from profiling.result import Profile
    from profiling.transport.rounds import Found
    from profiling.transport.systems import System

SIZES = "1kB,16kB,128kB,512kB,2MB,8MB,32MB"
UNITS = {"B": 1, "kB": 1_000, "MB": 1_000_000}
LARGEST_BYTES = 200_000_000


def transport(
    sizes: Annotated[
        str, typer.Option(help="Of the array in a message, by commas: B, kB, MB (powers of 1000).")
    ] = SIZES,
    with_: Annotated[
        str | None,
        typer.Option("--with", help="Of inproc, ipc, tcp (our links), pyzmq, zenoh, dora; default: all installed."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; each system has fresh processes in each.")] = 5,
    report: Annotated[Path | None, typer.Option(help="A folder for tables (transport.md) and a picture.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the samples as JSON, for a later --against.")] = None,
    against: Annotated[Path | None, typer.Option(help="Compare with what an earlier --out wrote.")] = None,
) -> int:
    """Latency and throughput by message size, all systems in turns; arrays are new and read to the last byte."""
    from profiling.against import require_comparable
    from profiling.result import finish, read, require_writable
    from profiling.transport import report as reports
    from profiling.transport import systems as known

    sizes_bytes = _sizes(sizes)
    systems = known.select(None if with_ is None else [word.strip() for word in with_.split(",")])
    empty = _profile(systems, {})
    if out is not None:
        require_writable(out)
    if against is not None:
        require_comparable(read(against), empty, against)
    if report is not None:
        _make_folder(report)
    missing = [system for system in known.SYSTEMS.values() if with_ is None and not system.installed]
    for system in missing:
        print(f"{system.name}: left out, {system.distribution} is not installed (pip install -e .[compare])")

    found = _measure(systems, sizes_bytes, repeats)
    text = f"{reports.tables(found)}\n{reports.words(found)}"
    print(text)
    if report is not None:
        (report / "transport.md").write_text(text + "\n", encoding="utf-8")
        reports.picture(found, report / "transport.png")
        print(f"written: {report}/transport.md, {report}/transport.png")
    return finish(_profile(systems, found), out, against)


def _sizes(text: str) -> list[int]:
    sizes = []
    for word in text.split(","):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(B|kB|MB)\s*", word)
        size = round(float(match[1]) * UNITS[match[2]]) if match else 0
        if not 8 <= size <= LARGEST_BYTES or size % 8:
            raise UserError(f"--sizes {word!r}: give sizes such as 1kB,2MB: multiples of 8 B up to 200MB")
        sizes.append(size)
    return sorted(set(sizes))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--report {folder}: cannot be written: {error.strerror}; give another folder") from error


def _measure(systems: list[System], sizes_bytes: list[int], repeats: int) -> Found:
    from rich.progress import Progress

    from cli.show import console
    from profiling.transport.driver import TransportError
    from profiling.transport.rounds import measure

    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=repeats * len(systems))

        def show(system: System, round_: int) -> None:
            progress.update(bar, advance=1, description=f"round {round_ + 1} of {repeats}: {system.name}")

        try:
            return measure(systems, sizes_bytes, repeats, show)
        except TransportError as error:
            raise UserError(f"{error}; choose what to measure by --with") from error


def _profile(systems: list[System], found: Found) -> Profile:
    from profiling.result import taken_now
    from profiling.transport.peers.interface import QUEUE
    from profiling.transport.rounds import as_series

    compared = {s.distribution: s.version for s in systems if s.distribution}
    return taken_now(
        "transport", sys.argv[1:], {"messages on their way": str(QUEUE)}, as_series(found), versions=compared
    )
