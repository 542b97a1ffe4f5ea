"""Starts the graph's processes, watches them, restarts what dies or hangs, drains at the end, and keeps the account.

One thread, one loop: listen on the control socket, look after the processes, look at the clock. It never touches data.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import zmq

from pipeline import control
from pipeline.clock import PlaybackClock, now_ns
from pipeline.control import InputSpec, NodeTask, OutputSpec, PublishSpec, WorkerTask
from pipeline.graph import Edge, Graph, InputSync, NodeSpec, process_groups
from pipeline.ledger import RunLedger
from pipeline.links.security import RunKeys, write_client_keys
from pipeline.live.observer import Observer
from pipeline.live.view import LiveView
from pipeline.node import load_node_class, node_signature
from pipeline.process import WorkerProcess
from pipeline.report import RunReport
from pipeline.trace import trace_path

LOOP_MS = 50
START_TIMEOUT_NS = 180_000_000_000
HEARTBEAT_TIMEOUT_NS = 5_000_000_000
STATUS_INTERVAL_NS = 500_000_000
COLLECT_NS = 10_000_000_000
DEFAULT_DRAIN_TIMEOUT_S = 30.0

Outcome = Literal["finished", "interrupted", "user", "failed"]


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a graph is run. ``rate`` None means as fast as the graph goes; ``trace``: folder of :mod:`pipeline.trace`."""

    rate: float | None = None
    frames: int | None = None
    strict: bool = False
    logs: Path | None = None
    trace: Path | None = None
    key_folder: Path | None = None
    drain_timeout_s: float = DEFAULT_DRAIN_TIMEOUT_S
    python_path: tuple[str, ...] = ()


class Supervisor:
    """Runs one graph once."""

    def __init__(self, graph: Graph, options: RunOptions, observer: Observer | None = None) -> None:
        self.graph = graph
        self.options = options
        self.ledger = RunLedger(graph, options.strict)
        self._observer = observer or Observer()
        self._live = LiveView(self.ledger, options.rate)
        self._stage = ""
        self._next_status_ns = 0
        self._processes: dict[str, WorkerProcess] = {}
        self._process_of: dict[str, WorkerProcess] = {}
        self._endpoints: dict[str, str] = {}
        self._ready: dict[str, int | None] = {}
        self._finished: list[str] = []
        self._clock: PlaybackClock | None = None
        self._interrupts = 0
        self._draining_since_ns: int | None = None
        self._outcome: Outcome = "finished"
        self._reason = ""
        self._cut_off = False

    def run(self) -> RunReport:
        """Run to the end of all streams, or until interrupted or failed. Never raises for what a node does."""
        self._folder = Path(tempfile.mkdtemp(prefix="rangecast-"))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._control = control.control_socket(self._context, zmq.ROUTER)
        self._control.bind(f"ipc://{self._folder}/control")
        self._keys = RunKeys.generate() if _needs_keys(self.graph) else None
        self._write_consumer_keys()
        begin_ns = now_ns()
        try:
            with self._signals():
                self._start_all()
                self._loop(begin_ns)
                self._collect()
        finally:
            for process in self._processes.values():
                process.kill()
            self._control.close()
            self._context.term()
            self._remove_sockets()
        processes = list(self._processes.values())
        return self.ledger.report(self._outcome, self._reason, processes, self._live.rate_reports())

    def process_id(self, process: str) -> int | None:
        """The pid of a worker's present incarnation."""
        return self._processes[process].pid

    # -- starting -----------------------------------------------------------------------------------------------------

    def _start_all(self) -> None:
        self._enter("starting")
        for names in process_groups(self.graph):
            process = WorkerProcess("+".join(names), names, self.options.logs)
            self._processes[process.name] = process
            self._process_of.update(dict.fromkeys(names, process))
        for process in self._processes.values():
            self._spawn(process)

    def _spawn(self, process: WorkerProcess) -> None:
        process.incarnation += 1
        task = WorkerTask(
            process=process.name,
            incarnation=process.incarnation,
            spawned_ns=now_ns(),
            supervisor_pid=os.getpid(),
            control_endpoint=f"ipc://{self._folder}/control",
            python_path=[*self.options.python_path, *sys.path],
            keys=self._keys,
            nodes=[self._task(self.graph.nodes[name], process.incarnation) for name in process.nodes],
        )
        process.spawn(task)

    def _task(self, spec: NodeSpec, incarnation: int) -> NodeTask:
        signature = node_signature(load_node_class(spec.type))
        return NodeTask(
            name=spec.name,
            type=spec.type,
            params=spec.params,
            endpoint=self._endpoint(spec, incarnation),
            curve=spec.curve,
            inputs=[self._input(spec, edge) for edge in self.graph.edges if edge.target == spec.name],
            outputs=[
                OutputSpec(f"{edge.target}.{edge.input}", edge.policy, edge.queue)
                for edge in self.graph.edges
                if edge.source == spec.name
            ],
            publish=None if spec.publish is None else msgspec.convert(spec.publish, PublishSpec, from_attributes=True),
            sync_timeout_ns=spec.sync_timeout_ns,
            deadline_ns=spec.deadline_ns,
            frame_limit=self.options.frames if signature.is_source else None,
            resume_after=self.ledger.resume_after(spec.name) if signature.is_source and incarnation else None,
            trace=str(trace_path(self.options.trace, spec.name, incarnation)) if self.options.trace else None,
        )

    def _input(self, spec: NodeSpec, edge: Edge) -> InputSpec:
        sync = spec.sync.get(edge.input, InputSync(tolerance_ns=0))
        publisher = self.graph.nodes[edge.source]
        return InputSpec(
            name=edge.input,
            publisher=edge.source,
            policy=edge.policy,
            queue=edge.queue,
            curve=publisher.curve,
            tolerance_ns=sync.tolerance_ns,
            offset_ns=sync.offset_ns,
            period_ns=sync.period_ns or 0,
            publisher_is_source=node_signature(load_node_class(publisher.type)).is_source,
        )

    def _endpoint(self, spec: NodeSpec, incarnation: int) -> str:
        if spec.bind is not None:
            return spec.bind
        if spec.transport == "tcp":
            return "tcp://127.0.0.1:*"
        return f"ipc://{self._folder}/{list(self.graph.nodes).index(spec.name)}.{incarnation}"

    def _write_consumer_keys(self) -> None:
        for spec in self.graph.nodes.values():
            if spec.publish is not None and spec.publish.curve and self._keys is not None and self.options.key_folder:
                write_client_keys(self.options.key_folder / f"{spec.name}.key", self._keys.for_client())

    def _remove_sockets(self) -> None:
        """ZeroMQ leaves the files of ipc sockets behind."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for spec in self.graph.nodes.values():
            if spec.publish is not None and spec.publish.bind.startswith("ipc://"):
                Path(spec.publish.bind.removeprefix("ipc://")).unlink(missing_ok=True)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _loop(self, begin_ns: int) -> None:
        while not self._over():
            if self._control.poll(LOOP_MS):
                self._listen()
            for process in self._processes.values():
                self._look_after(process)
            if self._clock is None and now_ns() - begin_ns > START_TIMEOUT_NS:
                waiting = ", ".join(sorted(set(self.graph.nodes) - self._ready.keys()))
                self._fail("failed", f"not ready after {START_TIMEOUT_NS // 10**9} s: {waiting}")
                self._cut_off = True
            self._mind_the_end()
            self._tell_status()

    def _enter(self, stage: str) -> None:
        self._stage = stage
        self._observer.on_stage(stage)

    def _tell_status(self) -> None:
        if now_ns() >= self._next_status_ns:
            self._next_status_ns = now_ns() + STATUS_INTERVAL_NS
            self._observer.on_status(self._live.status(self._stage, list(self._processes.values())))

    def _over(self) -> bool:
        return self._cut_off or all(process.state in ("done", "gone") for process in self._processes.values())

    def _listen(self) -> None:
        while True:
            try:
                identity, body = self._control.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            name, _, incarnation = identity.decode().rpartition("/")
            process = self._processes[name]
            message = control.from_worker_decoder.decode(body)
            if isinstance(message, control.Beat):
                process.last_beat_ns = now_ns()
                self.ledger.add_beat(message, process.incarnation)
                self._strictly()
            elif int(incarnation) == process.incarnation:
                self._hear(process, message)

    def _hear(self, process: WorkerProcess, message: control.FromWorker) -> None:
        match message:
            case control.Bound(endpoints):
                self._on_bound(process, endpoints)
            case control.Ready(node, first_stamp_ns):
                self._on_ready(process, node, first_stamp_ns)
            case control.Failed(node, text, kind):
                self._on_failed(process, node, text, kind)
            case control.Done(node):
                self._finished.append(node)
                if set(process.nodes) <= set(self._finished):
                    process.state = "done"
            case control.Said(node, level, text):
                self.ledger.add_notice(node, level, text)
                self._observer.on_said(node, level, text)

    def _on_bound(self, process: WorkerProcess, endpoints: dict[str, str]) -> None:
        self._endpoints.update(endpoints)
        process.state = "bound"
        if process.incarnation > 0:
            self._send(process, control.Connect(self._endpoints, self._finished))
            for node, endpoint in endpoints.items():
                self._send_others(process, control.PeerRestarted(node, endpoint))
        elif all(other.state == "bound" for other in self._processes.values()):
            for other in self._processes.values():
                self._send(other, control.Connect(self._endpoints, []))
            for spec in self.graph.nodes.values():
                if spec.publish is not None and spec.publish.wait_for:
                    text = f"waits for {spec.publish.wait_for} consumer(s) at {spec.publish.bind}"
                    self._observer.on_said(spec.name, "INFO", text)

    def _on_ready(self, process: WorkerProcess, node: str, first_stamp_ns: int | None) -> None:
        process.last_beat_ns = now_ns()
        process.ready_nodes.add(node)
        self._ready[node] = first_stamp_ns
        if self._clock is not None:
            if process.ready_nodes == set(process.nodes):
                process.state = "running"
                self._send(process, control.Start(self._clock))
                if self._draining_since_ns is not None:
                    self._send(process, control.StopSources())
        elif self._ready.keys() == self.graph.nodes.keys():
            stamps = [stamp for stamp in self._ready.values() if stamp is not None]
            self._clock = PlaybackClock(self.options.rate, min(stamps, default=0), now_ns())
            self.ledger.start()
            self._live.start()
            self._enter("running")
            for other in self._processes.values():
                other.state = "running"
                self._send(other, control.Start(self._clock))

    def _on_failed(self, process: WorkerProcess, node: str, text: str, kind: str) -> None:
        if kind == "crash":
            process.last_words = f"{node}: {text}"
            return  # the process ends by itself; what follows is decided there
        process.state = "gone"
        self._fail("user" if kind == "user" else "failed", f"node {node}: {text}")
        self._gone_for_good(process)

    # -- watching -----------------------------------------------------------------------------------------------------

    def _look_after(self, process: WorkerProcess) -> None:
        process.sample_usage()
        if process.state in ("done", "gone"):
            return
        if process.state == "waiting":
            if now_ns() >= process.respawn_at_ns:
                process.state = "starting"
                self._spawn(process)
            return
        if process.death():
            self._listen()  # its last words are on the socket, and may be that it has done its work
        if process.state in ("done", "gone"):
            return
        why = process.death() or self._hang(process)
        if why:
            self._on_death(process, why)

    def _hang(self, process: WorkerProcess) -> str | None:
        """Why a process counts as hung. The watchdog looks at ready processes only: models take their time to load."""
        if process.state != "running":
            late = now_ns() - process.spawned_ns > START_TIMEOUT_NS
            return f"not ready after {START_TIMEOUT_NS // 10**9} s" if late else None
        for node in process.nodes:
            limit_s = self.graph.nodes[node].hang_timeout_s
            if self.ledger.busy_ns(node) > limit_s * 1e9:
                return f"node {node} has been busy with one message for more than {limit_s:g} s"
        limit_ns = max(HEARTBEAT_TIMEOUT_NS, *(self.graph.nodes[n].hang_timeout_s * 1e9 for n in process.nodes))
        if now_ns() - process.last_beat_ns > limit_ns:
            return f"no heartbeat for {limit_ns / 1e9:g} s"
        return None

    def _on_death(self, process: WorkerProcess, why: str) -> None:
        process.kill()
        if self._clock is None:
            self._fail("failed", f"{process.name} died while starting: {why}{process.log_hint()}")
            self._cut_off = True
            return
        self.ledger.process_died(process.nodes)
        process.ready_nodes.clear()
        restart = self.graph.nodes[process.nodes[0]].restart
        now = now_ns()
        recent = [at for at in process.deaths_ns if now - at < restart.window_s * 1e9]
        process.deaths_ns = [*recent, now]
        if self._draining_since_ns is not None:
            self._event(process, f"{process.name} died while the graph was draining: {why}")
            self._gone_for_good(process)
        elif len(recent) >= restart.limit:
            self._fail("failed", f"{process.name} died {len(recent) + 1} times in {restart.window_s:g} s: {why}")
            self._gone_for_good(process)
        else:
            backoff_s = restart.backoff_s * 2 ** len(recent)
            process.state = "waiting"
            process.respawn_at_ns = now + round(backoff_s * 1e9)
            self._event(process, f"{process.name} died: {why}; restarting in {backoff_s:g} s")
            for node in process.nodes:
                self._send_others(process, control.PeerGone(node, for_good=False))
            self._strictly()

    def _gone_for_good(self, process: WorkerProcess) -> None:
        process.state = "gone"
        for node in process.nodes:
            self._send_others(process, control.PeerGone(node, for_good=True))
        self._drain()

    def _event(self, process: WorkerProcess, text: str) -> None:
        self.ledger.add_event(process.name, text + process.log_hint())
        self._observer.on_event(text)

    # -- ending -------------------------------------------------------------------------------------------------------

    def _mind_the_end(self) -> None:
        if self._interrupts and self._draining_since_ns is None:
            self._outcome, self._reason = "interrupted", "interrupted: the graph was drained"
            self._drain()
        if self._interrupts > 1:
            self._reason = "interrupted twice: stopped without draining"
            self._cut_off = True
        if self._draining_since_ns is None:
            return
        waited_s = (now_ns() - self._draining_since_ns) / 1e9
        if self._clock is None or waited_s > self.options.drain_timeout_s:
            if self._clock is not None:
                left = [n for p in self._processes.values() if p.state not in ("done", "gone") for n in p.nodes]
                self._reason += f"; cut off after {waited_s:.0f} s of draining, still busy: {', '.join(left)}"
            self._cut_off = True

    def _drain(self) -> None:
        if self._draining_since_ns is None:
            self._draining_since_ns = now_ns()
            self._enter("draining")
            self._send_all(control.StopSources())
            for process in self._processes.values():
                if process.state == "waiting":  # what is ending is not restarted
                    self._gone_for_good(process)

    def _collect(self) -> None:
        """Give the workers a moment to close files and send their last account."""
        if self._clock is None:
            return
        self._send_all(control.Quit())
        deadline_ns = now_ns() + COLLECT_NS
        while self._interrupts < 2 and now_ns() < deadline_ns and any(p.alive for p in self._processes.values()):
            self._control.poll(LOOP_MS)
            self._listen()
        self._listen()

    def _strictly(self) -> None:
        """Under ``--strict`` the first thing that went wrong ends the run."""
        fault = self.ledger.strict_fault()
        if fault is not None and self._outcome == "finished":
            self._fail("failed", f"strict: {fault}")
            self._drain()

    def _fail(self, outcome: Outcome, reason: str) -> None:
        if self._outcome == "finished":
            self._outcome, self._reason = outcome, reason

    # -- talking ------------------------------------------------------------------------------------------------------

    def _send(self, process: WorkerProcess, order: control.ToWorker) -> None:
        identity = f"{process.name}/{process.incarnation}".encode()
        self._control.send_multipart([identity, control.encode(order)])

    def _send_others(self, process: WorkerProcess, order: control.ToWorker) -> None:
        for other in self._processes.values():
            if other is not process and other.state in ("bound", "running"):
                self._send(other, order)

    def _send_all(self, order: control.ToWorker) -> None:
        for process in self._processes.values():
            if process.state not in ("done", "gone"):
                self._send(process, order)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM drain; a second one stops at once."""

        def count(_signal: int, _frame: types.FrameType | None) -> None:
            self._interrupts += 1

        before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _needs_keys(graph: Graph) -> bool:
    return any(spec.curve or (spec.publish is not None and spec.publish.curve) for spec in graph.nodes.values())
