"""What can be compared, and what of it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType

import msgspec

from errors import UserError, require_known

PEERS = "profiling.transport.peers"


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the comparison. ``word``: of ``--with``. ``module``: with ``Sender`` and ``Receiver``. ``wire``:
    inproc, ipc or tcp; inproc is one process with two threads. ``package``: what it needs beyond Rangecast itself."""

    name: str
    word: str
    module: str
    wire: str
    package: str = ""
    distribution: str = ""

    @property
    def installed(self) -> bool:
        return not self.package or importlib.util.find_spec(self.package) is not None

    @property
    def version(self) -> str:
        return metadata.version(self.distribution)

    def load(self) -> ModuleType:
        """The module with ``Sender`` and ``Receiver``."""
        return importlib.import_module(f"{PEERS}.{self.module}")


SYSTEMS = {
    system.name: system
    for system in (
        System(name="inproc", word="inproc", module="links", wire="inproc"),
        System(name="pyzmq inproc", word="pyzmq", module="plain_zmq", wire="inproc"),
        System(name="ipc", word="ipc", module="links", wire="ipc"),
        System(name="pyzmq ipc", word="pyzmq", module="plain_zmq", wire="ipc"),
        System(name="tcp", word="tcp", module="links", wire="tcp"),
        System(name="pyzmq tcp", word="pyzmq", module="plain_zmq", wire="tcp"),
        System(
            name="zenoh",
            word="zenoh",
            module="zenoh_peers",
            wire="tcp",
            package="zenoh",
            distribution="eclipse-zenoh",
        ),
        System(name="dora", word="dora", module="dora_nodes", wire="tcp", package="dora", distribution="dora-rs"),
    )
}
WORDS = tuple(dict.fromkeys(system.word for system in SYSTEMS.values()))


def select(words: Sequence[str] | None) -> list[System]:
    """The systems behind the words of ``--with``; None: all that are installed. ``pyzmq`` stands for plain pyzmq over
    every wire.

    Raises :class:`errors.UserError` where a word is not known, or what it stands for is not installed.
    """
    if words is None:
        return [system for system in SYSTEMS.values() if system.installed]
    for word in words:
        require_known("--with", word, WORDS)
    chosen = [system for system in SYSTEMS.values() if system.word in words]
    for system in chosen:
        if not system.installed:
            raise UserError(f"--with {system.word}: {system.distribution} is not installed: pip install -e .[compare]")
    return chosen
