"""``run.py top``: look at a run that is going on, from another terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    from pipeline.live.status import RunStatus
    from pipeline.live.status_socket import StatusReader

ROOT = Path(__file__).resolve().parent.parent
ANSWER_TIMEOUT_S = 5.0
POLL_S = 0.25
SILENCE_S = 2.0  # statuses come twice a second


def top(
    run: Annotated[Path | None, typer.Argument(help="The run's --out folder; default the newest under out/.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one line per status, for scripts.")] = False,
) -> int:
    """Look at a running graph: rates, queues, latency, drops, processor, memory. Ctrl-C leaves; the run goes on."""
    from cli.live_table import live_table
    from cli.show import console
    from pipeline.live.status_socket import StatusReader

    folder = _running(run) if run is not None else _newest()
    if not (once or as_json or console.is_terminal):
        raise UserError("top: the output is no terminal; give --once for one table or --json for one line per status")
    with contextlib.suppress(KeyboardInterrupt), StatusReader(folder) as reader:
        first = _first(reader, folder)
        if once:
            print(_json(first)) if as_json else console.print(live_table(first))
            return 0
        statuses = _until_over(reader, first, folder)
        _print_lines(statuses) if as_json else _draw(statuses)
        return _tell_end(folder)
    return 0


def _tell_end(folder: Path) -> int:
    """0, or 1 where the run ended without a word."""
    end = _end(folder)
    print(f"{folder}: {end or 'the run ended without an account: it was killed'}", file=sys.stderr)
    return 0 if end else 1


def _running(folder: Path) -> Path:
    from pipeline.live.status_socket import is_alive

    if not (folder / "run").is_dir():
        raise UserError(f"{folder}: not a run's folder (there is no run/ in it); give what play was given as --out")
    if not is_alive(folder):
        raise UserError(f"{folder}: no run is going on there{f'; the last one {end}' if (end := _end(folder)) else ''}")
    return folder


def _newest() -> Path:
    from pipeline.live.status_socket import NAME, is_alive

    links = sorted((ROOT / "out").glob(f"*/{NAME}"), key=lambda link: link.lstat().st_mtime, reverse=True)
    folder = next((link.parent.parent for link in links if is_alive(link.parent.parent)), None)
    if folder is None:
        raise UserError(f"no run is going on under {ROOT / 'out'}; start one with play, or name its --out folder")
    return folder


def _first(reader: StatusReader, folder: Path) -> RunStatus:
    """Raises :class:`errors.UserError` where none comes."""
    for _ in range(round(ANSWER_TIMEOUT_S / POLL_S)):
        status = reader.read(POLL_S)
        if status is not None:
            return status
        if end := _end(folder):
            raise UserError(f"{folder}: its run has just {end}")
    raise UserError(f"{folder}: its run has said nothing for {ANSWER_TIMEOUT_S:g} s; is it stopped?")


def _until_over(reader: StatusReader, first: RunStatus, folder: Path) -> Iterator[tuple[RunStatus, float]]:
    """The newest status and for how many seconds none has come, until the run is over."""
    from pipeline.live.status_socket import is_alive

    status, silent_s = first, 0.0
    while True:
        yield status, silent_s
        news = reader.read(POLL_S)
        if news is not None:
            status, silent_s = news, 0.0
            continue
        silent_s += POLL_S
        if _end(folder) or not is_alive(folder):
            return


def _draw(statuses: Iterator[tuple[RunStatus, float]]) -> None:
    """Full screen; the last table stays."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from cli.live_table import live_table
    from cli.show import console

    with Live(console=console, auto_refresh=False, screen=True) as live:
        for status, silent_s in statuses:
            silence = f"nothing heard for {silent_s:.0f} s" if silent_s >= SILENCE_S else ""
            live.update(Group(live_table(status), Text(silence, "yellow")), refresh=True)
    console.print(live_table(status))


def _print_lines(statuses: Iterator[tuple[RunStatus, float]]) -> None:
    for status, silent_s in statuses:
        if not silent_s:
            print(_json(status), flush=True)


def _json(status: RunStatus) -> str:
    import msgspec

    return msgspec.json.encode(status).decode()


def _end(folder: Path) -> str:
    """How the run in ``folder`` ended, by its account; empty where it has none (yet)."""
    import msgspec

    try:
        report = msgspec.json.decode((folder / "run" / "report.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):  # not there, or being written
        return ""
    reason = f": {report['reason']}" if report["reason"] else ""
    return f"{report['outcome']} after {report['duration_s']:.1f} s{reason}"
