"""Runs a source: reads ahead, and releases each message when the playback clock says that it is due."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import msgspec

from pipeline.account import Timing
from pipeline.clock import now_ns
from pipeline.control import NodeTask
from pipeline.links.node_links import NodeLinks
from pipeline.messages import Hop, Message
from pipeline.node import Skipped
from pipeline.runner import NodeRunner, RunnerEvents
from pipeline.trace import Call

READING_NICENESS = 10


class SourceRunner(NodeRunner):
    """Reads ahead while it waits for the next message to be due."""

    def __init__(self, task: NodeTask, links: NodeLinks, events: RunnerEvents) -> None:
        super().__init__(task, links, events)
        self._live_input = bool(getattr(self._node, "live", False))
        self._stop = threading.Event()
        self._next: Message | Skipped | None = None
        self._next_read_ns = (0, 0)
        self._seq = 0 if task.resume_after is None else task.resume_after + 1

    def stop_source(self) -> None:
        self._stop.set()

    def abort(self) -> None:
        self._stop.set()
        super().abort()

    def _prepare(self) -> int | None:
        _stand_back()
        if self.task.resume_after is not None and hasattr(self._node, "resume"):
            self._node.resume(self.task.resume_after)
        self._messages: Iterator[Message | Skipped] = iter(self._node.messages())
        if self._live_input:
            return None
        self._read()
        while isinstance(self._next, Skipped):
            self._skip(self._next)
            self._read()
        return self._next.header.stamp_ns if self._next is not None else None

    def _work(self) -> None:
        assert self._clock is not None
        if self._live_input:
            self._read()
        while self._next is not None and not self._stop.is_set() and not self._limit_reached():
            if isinstance(self._next, Skipped):
                self._skip(self._next)
            else:
                due_ns = None if self._live_input else self._clock.due_ns(self._next.header.stamp_ns)
                if due_ns is not None and self._stop.wait(max(0, due_ns - now_ns()) / 1e9):
                    break
                self._release(self._next, due_ns)
            self._read()

    def _limit_reached(self) -> bool:
        return self.task.frame_limit is not None and self._seq >= self.task.frame_limit

    def _read(self) -> None:
        """Read the next message; the hang watchdog watches this as it watches ``process``."""
        begin_ns = now_ns()
        if not self._live_input:
            self.meter.busy_since_ns = begin_ns
        self._next = None if self._limit_reached() else next(self._messages, None)
        self.meter.busy_since_ns = None
        self._next_read_ns = (begin_ns, now_ns())

    def _skip(self, skipped: Skipped) -> None:
        with self.links.exchange.changed:
            self.meter.add_skipped(skipped.name, skipped.reason)
        self._seq += 1

    def _release(self, message: Message, due_ns: int | None) -> None:
        begin_ns, end_ns = self._next_read_ns
        released_ns = now_ns()
        if due_ns is None:
            due_ns = end_ns if self._live_input else released_ns
        if end_ns > due_ns:
            started_ns, finished_ns = max(begin_ns, due_ns), end_ns
        else:  # what was read before it was due cost nobody any time
            started_ns = finished_ns = released_ns
        hop = Hop(self.task.name, due_ns, due_ns, due_ns, started_ns, finished_ns)
        header = msgspec.structs.replace(
            message.header,
            source=self.task.name,
            seq=self._seq,
            stamp_ns=finished_ns if self._live_input else message.header.stamp_ns,
            due_ns=due_ns,
            deadline_ns=None if self.task.deadline_ns is None else due_ns + self.task.deadline_ns,
            hops=(hop,),
        )
        with self.links.exchange.changed:
            self.meter.add_handled(self._seq)
            self.meter.add_timing(Timing.of(header))
        self._seq += 1
        self._emit(message, header)
        if self.trace is not None:
            self.trace.write(
                Call(
                    source=header.source,
                    seq=header.seq,
                    name=header.name,
                    due_ns=due_ns,
                    inputs=(),
                    completed_by="",
                    started_ns=started_ns,
                    finished_ns=finished_ns,
                    busy_ns=self._next_read_ns[1] - self._next_read_ns[0],
                )
            )
        self.links.output.let_go()


def _stand_back() -> None:
    """Reading ahead can wait: it must not take the core from whoever works on the message that has just left. On Linux
    a thread has a niceness of its own; the socket's thread keeps that of the process."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), READING_NICENESS)
