"""A node's links to the graph: the I/O thread that owns its sockets.

The compute thread never touches a socket: it takes from the inbox, says what became of each message (``links.inputs``),
and publishes into the outboxes (``links.output``). The I/O thread does the rest, woken by a byte on a socket pair.
Between nodes of one process there is no rest: see :mod:`pipeline.links.handover`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import zmq

from pipeline.control import NodeTask
from pipeline.links.exchange import Exchange
from pipeline.links.inbox import Inbox
from pipeline.links.publisher import Publisher
from pipeline.links.security import RunKeys
from pipeline.links.subscriber import Subscriber
from pipeline.messages import Message

TICK_MS = 100  # deadlines and probes are looked at this often


class NodeLinks:
    """The links of one node, its sockets in a thread of their own. ``neighbours``: the nodes of the same process."""

    def __init__(
        self,
        task: NodeTask,
        context: zmq.Context[Any],
        *,
        input_types: dict[str, type[Message]],
        neighbours: Container[str] = (),
        keys: RunKeys | None = None,
        incarnation: int = 0,
    ) -> None:
        self.exchange = Exchange()
        self.inbox = Inbox(task.name, self.exchange, input_types)
        self._poller = zmq.Poller()
        self.output = Publisher(
            task.name,
            self.exchange,
            context,
            outputs=task.outputs,
            neighbours=neighbours,
            outside=task.publish,
            keys=keys,
        )
        self.inputs = Subscriber(
            task.name,
            self.exchange,
            context,
            inputs=task.inputs,
            inbox=self.inbox,
            keys=keys,
            incarnation=incarnation,
            poller=self._poller,
        )
        self._commands: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"{task.name}-io", daemon=True)

    def start(self, endpoints: dict[str, str], finished: Iterable[str], neighbours: Mapping[str, NodeLinks]) -> None:
        """Connect the inputs to their publishers, and let the I/O thread run."""
        self._poller.register(self.exchange.wake_descriptor(), zmq.POLLIN)
        for socket in self.output.sockets:
            self._poller.register(socket, zmq.POLLIN)
        handovers = {
            spec.name: neighbours[spec.publisher].output.handovers[f"{self.inputs.node}.{spec.name}"]
            for spec in self.inputs.inputs.values()
            if spec.publisher in neighbours
        }
        self.inputs.connect(endpoints, finished, handovers)
        self._thread.start()

    def reconnect(self, publisher: str, endpoint: str) -> None:
        """``publisher`` was restarted and listens at ``endpoint``."""
        self._command(lambda: self.inputs.reconnect(publisher, endpoint))

    def peer_gone(self, node: str, *, for_good: bool) -> None:
        """A node on the other side of some link died, and ``for_good`` will not be restarted."""
        self._command(lambda: self.output.consumer_died(node, for_good=for_good))
        if for_good:
            self._command(lambda: self.inputs.publisher_gone(node))

    def close(self) -> None:
        """End the I/O thread and close the sockets. What could not be sent is accounted for as such."""
        self._stopping = True
        self.exchange.wake()
        if self._thread.is_alive():
            self._thread.join()
        self.inputs.close()
        self.output.close()
        self.exchange.close()

    def _command(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        self.exchange.wake()

    def _run(self) -> None:
        while not self._stopping:
            self._flush()
            for socket, _ in self._poller.poll(TICK_MS):
                if socket == self.exchange.wake_descriptor():
                    self.exchange.take_wakes()
                elif socket in self.output.sockets:
                    self.output.receive(socket)
                else:
                    self.inputs.take_in(socket)
            while self._commands:
                self._commands.popleft()()
        self._flush()

    def _flush(self) -> None:
        self.inputs.flush()
        self.output.flush()
