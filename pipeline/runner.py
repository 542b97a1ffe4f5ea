"""The life of one node inside its process: its compute thread, from opening to the last message."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Literal

import msgspec

from errors import UserError
from pipeline.account import NodeBeat, NodeMeter
from pipeline.clock import PlaybackClock, now_ns
from pipeline.control import NodeTask
from pipeline.links.exchange import Stop
from pipeline.links.node_links import NodeLinks
from pipeline.links.publisher import ConsumerStalledError
from pipeline.messages import Header, Message
from pipeline.node import load_node_class
from pipeline.trace import TraceWriter

log = logging.getLogger(__name__)


class RunnerEvents(msgspec.Struct, frozen=True):
    """What a runner tells its worker; called on the compute thread."""

    opened: Callable[[str, int | None], None]
    failed: Callable[[str, str, Literal["user", "stalled", "crash"]], None]
    done: Callable[[str], None]


class NodeRunner:
    """The life of one node inside its process: open, process until the inputs end, finish, close."""

    def __init__(self, task: NodeTask, links: NodeLinks, events: RunnerEvents) -> None:
        self.task = task
        self.links = links
        self.meter = NodeMeter(task.name)
        self.trace = TraceWriter(task.trace) if task.trace is not None else None
        self.opening_ns = self.opened_ns = 0
        self._events = events
        self._node = load_node_class(task.type)(**task.params)
        self._clock: PlaybackClock | None = None
        self._started = threading.Event()
        self._aborted = threading.Event()
        self._thread = threading.Thread(target=self._run, name=task.name, daemon=True)

    def launch(self) -> None:
        """Start the compute thread: it opens the node and reports."""
        self._thread.start()

    def start(self, clock: PlaybackClock) -> None:
        """All nodes are ready: let messages flow."""
        self._clock = clock
        self._started.set()

    def stop_source(self) -> None:
        """Ask a source to end its stream. Other nodes end when their inputs do."""

    def abort(self) -> None:
        """End at once, without draining."""
        self._aborted.set()
        self._started.set()
        self.links.exchange.abort()

    def join(self, timeout_s: float) -> None:
        """Wait for the compute thread."""
        self._thread.join(timeout_s)

    def beat(self) -> NodeBeat:
        """What is new since the last beat."""
        edges, losses = self.links.output.accounts()
        with self.links.exchange.changed:
            self.meter.malformed = self.links.output.malformed + self.links.inbox.malformed
            counters: Counter[str] = getattr(self._node, "counters", None) or Counter()
            beat = self.meter.take(edges, counters, now_ns())
        beat.losses = losses + beat.losses
        if self.trace is not None:
            self.trace.flush()
        return beat

    def _run(self) -> None:
        try:
            self._live()
        except Stop:
            pass
        except UserError as error:
            self._events.failed(self.task.name, str(error), "user")
        except ConsumerStalledError as error:
            self._events.failed(self.task.name, str(error), "stalled")
        except Exception as error:
            traceback.print_exc()
            self._events.failed(self.task.name, f"{type(error).__name__}: {error}", "crash")
        else:
            self._events.done(self.task.name)

    def _live(self) -> None:
        self.meter.state = "opening"
        self.opening_ns = now_ns()
        if hasattr(self._node, "open"):
            self._node.open()
        try:
            first_stamp_ns = self._prepare()
            self.meter.state = "waiting"
            self.opened_ns = now_ns()
            self._events.opened(self.task.name, first_stamp_ns)
            self._started.wait()
            if self._aborted.is_set():
                raise Stop
            self.meter.state = "running"
            self._work()
        finally:
            self.meter.busy_since_ns = now_ns()
            if hasattr(self._node, "close"):
                self._node.close()
            self.meter.busy_since_ns = None
        self.meter.state = "draining"
        self.links.output.end("finished")
        self.meter.state = "done"

    def _prepare(self) -> int | None:
        """What can be done before the start. Returns a source's first stamp."""
        return None

    def _work(self) -> None:
        raise NotImplementedError

    def _emit(self, message: Message, header: Header) -> None:
        with self.links.exchange.changed:
            self.meter.add_emitted(header.seq)
        self.links.output.publish(msgspec.structs.replace(message, header=header))
