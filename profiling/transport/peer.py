"""One side of a connection, or both as threads: ``python -m profiling.transport.peer FOLDER SYSTEM ROLE [ENDPOINT]``.

``ROLE`` is sender, receiver or both. Each side talks to the driver (:mod:`profiling.transport.driver`) over a socket of
the operating system, beside the transport that is measured.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from multiprocessing.connection import Client, Connection
from pathlib import Path

import msgspec
import zmq

from pipeline.clock import now_ns
from pipeline.orphans import die_with_parent
from pipeline.worker import SWITCH_INTERVAL_S
from profiling.transport import payload
from profiling.transport.peers.interface import Meeting, Receiver, Sender
from profiling.transport.systems import SYSTEMS, System

READ = b"read"
NUDGE_S = 2.0


class Task(msgspec.Struct, frozen=True):
    """Send ``count`` messages, numbered from ``first``. ``one_by_one``: each when the one before has been read; else as
    fast as they go."""

    size_bytes: int
    first: int
    count: int
    one_by_one: bool


class Hello(msgspec.Struct, frozen=True):
    """A side is there. ``endpoint``: where a sender listens."""

    role: str
    endpoint: str


class Result(msgspec.Struct, frozen=True):
    """Number → when that message was handed over (sender), or had been read to its last byte (receiver): host time."""

    at_ns: dict[int, int]


def serve(driver: Connection, peer: Sender | Receiver, role: str) -> None:
    """Do what the driver asks until it hangs up."""
    endpoint = peer.endpoint if role == "sender" else ""
    driver.send_bytes(msgspec.json.encode(Hello(role, endpoint)))
    measure = _send if role == "sender" else _receive
    try:
        while True:
            task = msgspec.json.decode(driver.recv_bytes(), type=Task)
            driver.send_bytes(msgspec.json.encode(Result(measure(peer, task, driver))))
    except EOFError:
        peer.close()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # the other side must not wait for us


def _send(sender: Sender, task: Task, driver: Connection) -> dict[int, int]:
    at_ns = {}
    for number in range(task.first, task.first + task.count):
        message = payload.fresh(task.size_bytes, number)
        at_ns[number] = now_ns()
        sender.send(message)
        if task.one_by_one:
            driver.recv_bytes()  # READ
    if not task.one_by_one:
        while not driver.poll(NUDGE_S):  # the last message was lost: another one ends the receiver's wait
            sender.send(payload.fresh(task.size_bytes, task.first + task.count))
        driver.recv_bytes()  # READ
    return at_ns


def _receive(receiver: Receiver, task: Task, driver: Connection) -> dict[int, int]:
    at_ns: dict[int, int] = {}
    number, last = -1, task.first + task.count - 1
    while number < last:
        number = payload.read_all(receiver.receive())
        if task.first <= number <= last:  # else a nudge, of this task or the one before
            at_ns[number] = now_ns()
        receiver.done()
        if task.one_by_one or number >= last:
            driver.send_bytes(READ)
    return at_ns


def _open(system: System, role: str, meeting: Meeting) -> Sender | Receiver:
    module = system.load()
    return module.Sender(meeting) if role == "sender" else module.Receiver(meeting)


def main(folder: Path, system: System, role: str, endpoint: str) -> None:
    """Open one side or both, and serve the driver."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    context: zmq.Context = zmq.Context()
    meeting = Meeting(wire=system.wire, folder=folder, endpoint=endpoint, context=context)
    threads = []
    for side in ("sender", "receiver") if role == "both" else (role,):
        peer = _open(system, side, meeting)
        if side == "sender":
            meeting = msgspec.structs.replace(meeting, endpoint=peer.endpoint, sender=peer)
        driver = Client(str(folder / "driver"), "AF_UNIX")
        threads.append(threading.Thread(target=serve, args=(driver, peer, side), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    context.term()


if __name__ == "__main__":
    if SYSTEMS[sys.argv[2]].word != "dora":  # whose daemon is the parent
        die_with_parent(os.getppid())
    main(Path(sys.argv[1]), SYSTEMS[sys.argv[2]], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else "")
