"""``run.py doctor``: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

import typer

ROOT = Path(__file__).resolve().parent.parent


def doctor() -> int:
    """Check this machine: libraries, inference backends, shipped models, sockets. Exit 1 where playing cannot work."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Rangecast on this machine", title_justify="left")
    for heading in ("what", "state", "detail"):
        table.add_column(heading, overflow="fold")
    needed_ok = True
    for what, needed, check in _checks():
        ok, detail = _try(check)
        state = "[green]ok[/]" if ok else "[red]missing[/]" if needed else "[yellow]not here[/]"
        needed_ok = needed_ok and (ok or not needed)
        table.add_row(what, state, detail)
    for row in _backends():
        table.add_row(*row)
    Console(highlight=False).print(table)
    typer.echo("ready to play" if needed_ok else "not ready: put right what is missing above, or run `make setup`")
    return 0 if needed_ok else 1


def _checks() -> list[tuple[str, bool, Callable[[], str]]]:
    """Name, whether playing needs it, and a check that returns a detail or raises."""
    return [
        ("machine", True, _machine),
        ("sockets (ipc, CURVE)", True, _sockets),
        *[(name, True, _import(name)) for name in ("numpy", "zmq", "msgspec", "numba", "cv2", "av")],
        ("open3d (simulated drives, .pcd/.ply)", False, _import("open3d", "pip install rangecast[sim]")),
        ("torch (training, export)", False, _import("torch", "pip install rangecast[train]")),
        ("shipped models", True, _models),
    ]


def _try(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except Exception as error:  # whatever a broken installation raises is the finding
        return False, " ".join(str(error).split())


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, {platform.system()}"


def _sockets() -> str:
    import tempfile

    import zmq

    if not zmq.has("curve"):
        raise RuntimeError("this pyzmq has no CURVE: tcp beyond loopback is refused")
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.bind(f"ipc://{folder}/probe")
    return f"ZeroMQ {zmq.zmq_version()}"


def _import(name: str, remedy: str = "make setup") -> Callable[[], str]:
    def check() -> str:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:
            libusb = "; apt-get install libusb-1.0-0" if "libusb" in str(error) else ""
            raise RuntimeError(f"{error}{libusb or f'; {remedy}'}") from None
        return str(getattr(module, "__version__", "installed"))

    return check


def _models() -> str:
    from inference.manifest import load_manifest

    folders = sorted(path.parent for path in (ROOT / "weights").glob("*/model.json"))
    if not folders:
        raise RuntimeError("no model in weights/: the clone is incomplete")
    for folder in folders:
        load_manifest(folder)
    return ", ".join(folder.name for folder in folders)


def _backends() -> list[tuple[str, str, str]]:
    from inference.report import backends_report

    rows = []
    for backend in backends_report():
        state = "[green]ok[/]" if backend.works else "[yellow]not here[/]"
        detail = " ".join([backend.version, ", ".join(backend.devices), backend.problem]).strip()
        rows.append((f"backend {backend.name}", state, detail))
    return rows
