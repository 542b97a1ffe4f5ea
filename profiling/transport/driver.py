"""Starts the two sides of a connection as processes of their own, and tells them what to send."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

import msgspec

from profiling.transport.peer import READ, Hello, Result, Task
from profiling.transport.systems import System

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 60.0
TASK_TIMEOUT_S = 60.0
POLL_S = 0.2


class TransportError(Exception):
    """A system did not start, ended early or lost a message. The text is one line."""


class Pair:
    """A sender and a receiver of one system, in fresh processes. A context manager: nothing of them is left behind."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._folder = Path(tempfile.mkdtemp(prefix="rc-"))
        self._log = self._folder / "log"
        self._listener = socket.socket(socket.AF_UNIX)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._sides: dict[str, Connection] = {}
        self._next_number = 0

    def __enter__(self) -> Pair:
        try:
            self._listener.bind(str(self._folder / "driver"))
            self._listener.listen()
            self._listener.settimeout(POLL_S)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        if self.system.wire == "inproc":
            self._spawn(self._side("both"))
            self._accept("sender", "receiver")
        elif self.system.word == "dora":
            self._spawn([sys.executable, "-c", "import dora, sys; dora.run(sys.argv[1])", self._dataflow()])
            self._accept("sender", "receiver")
        else:
            self._spawn(self._side("sender"))
            endpoint = self._accept("sender")
            self._spawn(self._side("receiver", endpoint))
            self._accept("receiver")

    def measure(self, size_bytes: int, count: int, *, one_by_one: bool) -> tuple[dict[int, int], dict[int, int]]:
        """Send ``count`` messages. Number → host time in nanoseconds: when handed over, and when read to the last byte.

        Raises :class:`TransportError` where they do not arrive, or a side ends.
        """
        task = Task(size_bytes, self._next_number, count, one_by_one)
        self._next_number += count + 1  # one for the message that ends a wait for a lost one
        for side in ("receiver", "sender"):
            self._say(side, msgspec.json.encode(task))
        times: dict[str, dict[int, int]] = {}
        deadline_s = time.monotonic() + TASK_TIMEOUT_S
        while len(times) < len(self._sides):
            ready = wait(list(self._sides.values()), max(0.0, deadline_s - time.monotonic()))
            if not ready:
                raise self._failure(f"{count} messages of {size_bytes} bytes did not arrive in {TASK_TIMEOUT_S:g} s")
            for side in [name for name, connection in self._sides.items() if connection in ready]:
                said = self._hear(side)
                if said == READ:
                    self._say("sender", READ)
                else:
                    times[side] = msgspec.json.decode(said, type=Result).at_ns
        return times["sender"], times["receiver"]

    def _say(self, side: str, text: bytes) -> None:
        try:
            self._sides[side].send_bytes(text)
        except ConnectionError:
            raise self._failure(f"the {side} ended early") from None

    def _hear(self, side: str) -> bytes:
        try:
            return self._sides[side].recv_bytes()
        except (EOFError, ConnectionError):
            raise self._failure(f"the {side} ended early") from None

    def _side(self, role: str, endpoint: str = "") -> list[str]:
        return [sys.executable, "-m", "profiling.transport.peer", str(self._folder), self.system.name, role, endpoint]

    def _spawn(self, command: list[str]) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.getenv("PYTHONPATH"))))}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # its end tells the process that we are gone
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
                start_new_session=True,
            )
        self._processes.append(process)

    def _dataflow(self) -> str:
        from profiling.transport.peers.dora_nodes import dataflow

        python, *sender = self._side("sender")
        _, *receiver = self._side("receiver")
        path = self._folder / "dataflow.json"  # which is YAML too
        path.write_text(json.dumps(dataflow(python, sender, receiver)))
        return str(path)

    def _accept(self, *roles: str) -> str:
        """Wait until these sides have said hello; returns where the last one listens."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        hello = Hello("", "")
        while not set(roles) <= self._sides.keys():
            if time.monotonic() > deadline_s or any(process.poll() is not None for process in self._processes):
                raise self._failure("did not start")
            try:
                accepted, _ = self._listener.accept()
            except TimeoutError:
                continue
            accepted.setblocking(True)
            connection = Connection(accepted.detach())
            hello = msgspec.json.decode(connection.recv_bytes(), type=Hello)
            self._sides[hello.role] = connection
        return hello.endpoint

    def _failure(self, what: str) -> TransportError:
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:] if self._log.exists() else []
        return TransportError(f"{self.system.name}: {what}{f': {last[0]}' if last else ''}")

    def __exit__(self, *_: object) -> None:
        for connection in self._sides.values():
            connection.close()
        for process in self._processes:
            _end(process)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it go by itself, then end it and all that it started."""
    try:
        process.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
