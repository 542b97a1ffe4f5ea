"""A worker process: ``python -m pipeline.worker`` with its task as one JSON line on standard input.

The main thread is the control thread: it listens to the supervisor, sends heartbeats, and never runs a node's code.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import traceback
from typing import Literal, NoReturn

import msgspec
import zmq

from errors import UserError
from pipeline import control
from pipeline.clock import now_ns
from pipeline.control import WorkerTask
from pipeline.links.node_links import NodeLinks
from pipeline.links.security import start_authenticator
from pipeline.node import load_node_class, node_signature
from pipeline.orphans import die_with_parent
from pipeline.process_runner import ProcessRunner
from pipeline.runner import NodeRunner, RunnerEvents
from pipeline.source_runner import SourceRunner
from pipeline.trace import Opening

BEAT_INTERVAL_NS = 200_000_000
STARTING_POLL_MS = 10  # until everything is ready, everybody waits for everybody
RUNNING_POLL_MS = 100
SINK_NICENESS = 5  # files can wait; who computes for others goes first
SWITCH_INTERVAL_S = 0.0005  # an I/O thread must not wait 5 ms for the interpreter lock

EXIT_CRASH = 70  # EX_SOFTWARE: a node cannot go on and may be restarted
EXIT_REFUSED = 78  # EX_CONFIG: a restart would not help


class Worker:
    """The nodes of one process and their conversation with the supervisor."""

    def __init__(self, task: WorkerTask) -> None:
        self.task = task
        self._imported_ns = now_ns()
        self._bound_ns = 0
        self._context = zmq.Context()
        self._lock = threading.Lock()  # the control socket is written by compute threads too
        self._control = control.control_socket(self._context, zmq.DEALER)
        self._control.routing_id = f"{task.process}/{task.incarnation}".encode()
        self._control.connect(task.control_endpoint)
        needs_curve = any(node.curve or (node.publish and node.publish.curve) for node in task.nodes)
        self._authenticator = (
            start_authenticator(self._context, task.keys) if needs_curve and task.keys is not None else None
        )
        self._events = RunnerEvents(opened=self._on_opened, failed=self._on_failed, done=self._on_done)
        self._runners: dict[str, NodeRunner] = {}
        self._awaiting_consumers: dict[str, int | None] = {}
        self._running = {node.name for node in task.nodes}
        self._started = False
        self._exit_code: int | None = None

    def run(self) -> int:
        """Serve until every node is done, one has failed, or the supervisor says quit. Returns the exit code."""
        try:
            endpoints = self._build()
            self._bound_ns = now_ns()
            self._send(control.Bound(endpoints))
            self._serve()
        except UserError as error:
            self._send(control.Failed(self._node_at_fault, str(error), "user"))
            self._exit_code = EXIT_REFUSED
        except Exception as error:
            traceback.print_exc()
            self._send(control.Failed(self._node_at_fault, f"{type(error).__name__}: {error}", "crash"))
            self._exit_code = EXIT_CRASH
        self._close()
        return self._exit_code or 0

    # -- set-up -------------------------------------------------------------------------------------------------------

    def _build(self) -> dict[str, str]:
        """Construct every node and bind its output; returns the endpoints of those that have consumers elsewhere."""
        endpoints = {}
        for task in self.task.nodes:
            self._node_at_fault = task.name
            signature = node_signature(load_node_class(task.type))
            links = NodeLinks(
                task,
                self._context,
                input_types={given.name: given.type for given in signature.inputs},
                neighbours=self._running,
                keys=self.task.keys,
                incarnation=self.task.incarnation,
            )
            endpoint = links.output.bind(task.endpoint, curve=task.curve)
            if endpoint is not None:
                endpoints[task.name] = endpoint
            runner_class = SourceRunner if signature.is_source else ProcessRunner
            self._runners[task.name] = runner_class(task, links, self._events)
        return endpoints

    # -- the control loop ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        next_beat_ns = 0
        while self._exit_code is None and self._running:
            if self._control.poll(RUNNING_POLL_MS if self._started else STARTING_POLL_MS):
                self._obey(control.to_worker_decoder.decode(self._control.recv()))
            self._report_ready()
            if now_ns() >= next_beat_ns:
                self._beat()
                next_beat_ns = now_ns() + BEAT_INTERVAL_NS

    def _obey(self, order: control.ToWorker) -> None:
        match order:
            case control.Connect(endpoints, finished):
                neighbours = {name: runner.links for name, runner in self._runners.items()}
                for runner in self._runners.values():
                    runner.links.start(endpoints, finished, neighbours)
                    runner.launch()
            case control.Start(clock):
                self._started = True
                gc.freeze()  # what libraries made stays: to collect it again holds every thread up, for 70 ms
                for runner in self._runners.values():
                    self._trace_opening(runner)
                    runner.start(clock)
            case control.StopSources():
                for runner in self._runners.values():
                    runner.stop_source()
            case control.PeerRestarted(node, endpoint):
                for runner in self._runners.values():
                    runner.links.reconnect(node, endpoint)
            case control.PeerGone(node, for_good):
                for runner in self._runners.values():
                    runner.links.peer_gone(node, for_good=for_good)
            case control.Quit():
                self._exit_code = 0

    def _trace_opening(self, runner: NodeRunner) -> None:
        if runner.trace is not None:
            opening = Opening(
                node=runner.task.name,
                process=self.task.process,
                pid=os.getpid(),
                incarnation=self.task.incarnation,
                spawned_ns=self.task.spawned_ns,
                imported_ns=self._imported_ns,
                bound_ns=self._bound_ns,
                opening_ns=runner.opening_ns,
                opened_ns=runner.opened_ns,
                started_ns=now_ns(),
            )
            runner.trace.write(opening)

    def _report_ready(self) -> None:
        for name, first_stamp_ns in list(self._awaiting_consumers.items()):
            if self._runners[name].links.output.connected:
                del self._awaiting_consumers[name]
                self._send(control.Ready(name, first_stamp_ns))

    def _beat(self) -> None:
        self._send(control.Beat([runner.beat() for runner in self._runners.values()]))

    def _send(self, message: control.FromWorker) -> None:
        with self._lock:
            self._control.send(control.encode(message))

    # -- called by the compute threads --------------------------------------------------------------------------------

    def _on_opened(self, node: str, first_stamp_ns: int | None) -> None:
        self._awaiting_consumers[node] = first_stamp_ns

    def _on_failed(self, node: str, text: str, kind: Literal["user", "stalled", "crash"]) -> None:
        self._send(control.Failed(node, text, kind))
        self._exit_code = EXIT_CRASH if kind == "crash" else EXIT_REFUSED

    def _on_done(self, node: str) -> None:
        self._send(control.Beat([self._runners[node].beat()]))
        self._send(control.Done(node))
        self._running.discard(node)

    def _close(self) -> None:
        for runner in self._runners.values():
            runner.abort()
        for runner in self._runners.values():
            runner.join(timeout_s=2.0)
            runner.links.close()
            if runner.trace is not None:
                runner.trace.close()
        if self._runners:
            self._beat()
        if self._authenticator is not None:
            self._authenticator.stop()
        self._control.close()
        self._context.term()


class _Forward(logging.Handler):
    """Sends what nodes log, from INFO up, to the supervisor."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(logging.INFO)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        node = threading.current_thread().name.removesuffix("-io")
        if node in self._worker._runners:
            self._worker._send(control.Said(node, record.levelname, record.getMessage()))


def main() -> int:
    """Read the task, run it. The exit code is for the supervisor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    task = msgspec.json.decode(_read_line(0), type=WorkerTask)
    die_with_parent(task.supervisor_pid)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    sys.path[:0] = [entry for entry in task.python_path if entry not in sys.path]
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if not any(node.outputs or node.publish for node in task.nodes):
        os.nice(SINK_NICENESS)
    worker = Worker(task)
    logging.getLogger().addHandler(_Forward(worker))
    return worker.run()


def _read_line(descriptor: int) -> bytes:
    """One line, unbuffered: what follows in the pipe belongs to the parent watch."""
    chunks: list[bytes] = []
    while not (chunks and chunks[-1].endswith(b"\n")):
        chunk = os.read(descriptor, 65536)
        if not chunk:
            raise SystemExit("no task on standard input; this module is started by the supervisor")
        chunks.append(chunk)
    return b"".join(chunks)


def _exit(code: int) -> NoReturn:
    # A node's library may hold threads that never end (a camera driver); all that matters is closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _exit(main())
