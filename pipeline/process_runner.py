"""Runs a processing node: one message or one synchronised set at a time, each measured and accounted for."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import msgspec

from errors import UserError
from pipeline import account
from pipeline.account import Loss, Timing
from pipeline.clock import now_ns
from pipeline.control import NodeTask
from pipeline.links.inbox import Arrived, InputEnded
from pipeline.links.node_links import NodeLinks
from pipeline.messages import Hop, InputStatus, Message
from pipeline.node import NodeSignature, node_signature
from pipeline.runner import NodeRunner, RunnerEvents
from pipeline.synchroniser import Synchroniser, SyncSet, TopicSync
from pipeline.trace import Call, Taken

MAX_LIVE_PENDING = 32

log = logging.getLogger(__name__)


class ProcessRunner(NodeRunner):
    """Takes messages from the inbox, one by one or in synchronised sets, and calls ``process``."""

    def __init__(self, task: NodeTask, links: NodeLinks, events: RunnerEvents) -> None:
        super().__init__(task, links, events)
        self.signature: NodeSignature = node_signature(type(self._node))
        self._specs = {spec.name: spec for spec in task.inputs}
        self._primary = self.signature.inputs[0].name
        self._open_inputs = set(self._specs)
        self._last_seq: dict[str, int] = {}
        self._set_aside: dict[int, Arrived] = {}  # what the synchroniser holds, by the message's id
        self._outcomes: dict[int, str] = {}  # of messages whose set went wrong
        self._sync = self._synchroniser()

    def _synchroniser(self) -> Synchroniser | None:
        others = [
            TopicSync(
                name=given.name,
                offset_ns=self._specs[given.name].offset_ns,
                tolerance_ns=self._specs[given.name].tolerance_ns,
                period_ns=self._specs[given.name].period_ns,
                optional=given.optional,
            )
            for given in self.signature.inputs[1:]
            if given.name in self._specs
        ]
        if not others:
            return None
        lossless = all(spec.policy == "all" for spec in self._specs.values())
        # Under `all`, credit bounds what is held; a limit here would lose messages.
        return Synchroniser(
            self._primary,
            others,
            timeout_ns=self.task.sync_timeout_ns,
            max_pending=None if lossless else MAX_LIVE_PENDING,
        )

    def _work(self) -> None:
        while self._open_inputs:
            item = self.links.inbox.receive(self._receive_timeout_s())
            if isinstance(item, Arrived):
                self._take(item)
            elif isinstance(item, InputEnded):
                self._end(item.input)
            elif self._sync is not None:
                self._process_sets(self._sync.expire(now_ns()))
        self._finish()

    def _receive_timeout_s(self) -> float | None:
        expiry_ns = self._sync.next_expiry_ns() if self._sync is not None else None
        return None if expiry_ns is None else max(0, expiry_ns - now_ns()) / 1e9

    def _take(self, item: Arrived) -> None:
        header = item.message.header
        refusal = self._refusal(item)
        if refusal is not None:
            self._acknowledge(item, refusal, credit=1)
            return
        with self.links.exchange.changed:
            self.meter.add_received(item.input, header.seq)
        if self._sync is None:
            outcome = self._process({item.input: item}, (), item.input)
            self._acknowledge(item, outcome, credit=1)
            return
        if self._specs[item.input].policy == "latest":
            self.links.inputs.acknowledge(item.input, credit=1)
        self._set_aside[id(item.message)] = item
        self._process_sets(self._sync.add(item.input, item.message, now_ns()))

    def _refusal(self, item: Arrived) -> str | None:
        """Why a message is not even looked at."""
        header = item.message.header
        if header.deadline_ns is not None and now_ns() > header.deadline_ns:
            return account.EXPIRED
        if self._specs[item.input].publisher_is_source:
            if header.seq <= self._last_seq.get(item.input, -1):
                return account.DUPLICATE
            self._last_seq[item.input] = header.seq
        return None

    def _end(self, input_name: str) -> None:
        self._open_inputs.discard(input_name)
        if self._sync is not None:
            self._process_sets(self._sync.end(input_name, now_ns()))
        self.links.inputs.farewell(input_name)

    def _process_sets(self, sets: list[SyncSet]) -> None:
        for sync_set in sets:
            primary = self._set_aside[id(sync_set.primary)]
            if not sync_set.usable:
                missing = next(s for s in sync_set.status if s.reason != "ok")
                self._name_loss(primary, account.INCOMPLETE, f"{missing.topic}: {missing.reason}")
                self._outcomes[id(sync_set.primary)] = account.INCOMPLETE
                continue
            matched = {name: self._set_aside[id(m)] for name, m in sync_set.inputs.items() if m is not None}
            completed_by = sync_set.completed_by if sync_set.completed_by in matched else self._primary
            outcome = self._process({self._primary: primary, **matched}, sync_set.status, completed_by)
            if outcome != account.USED:
                self._outcomes[id(sync_set.primary)] = outcome
        self._release_used()

    def _release_used(self) -> None:
        assert self._sync is not None
        for released in self._sync.take_released():
            item = self._set_aside.pop(id(released.message))
            credit = 1 if self._specs[item.input].policy == "all" else 0
            self._acknowledge(item, self._outcomes.pop(id(released.message), released.reason), credit=credit)

    def _process(self, taken: dict[str, Arrived], status: tuple[InputStatus, ...], completed_by: str) -> str:
        """One call of ``process``: measured, its failure counted and named, its output published."""
        primary, completing = taken[self._primary], taken[completed_by]
        arguments: dict[str, Any] = {
            given.name: taken[given.name].message if given.name in taken else None for given in self.signature.inputs
        }
        if self.signature.status_parameter is not None:
            arguments[self.signature.status_parameter] = self._full_status(status)
        started_ns = self.meter.busy_since_ns = now_ns()
        try:
            output = self._node.process(**arguments)
        except UserError:
            raise
        except Exception as error:
            traceback.print_exc()
            self._name_loss(primary, account.FAILED, f"{type(error).__name__}: {error}")
            self._trace(taken, completed_by, started_ns, now_ns(), failed=True)
            return account.FAILED
        finally:
            self.meter.busy_since_ns = None
        finished_ns = now_ns()
        link = completing.link
        hop = Hop(self.task.name, link.published_ns, link.sent_ns, completing.received_ns, started_ns, finished_ns)
        header = msgspec.structs.replace(primary.message.header, hops=(*completing.message.header.hops, hop))
        with self.links.exchange.changed:
            self.meter.add_timing(Timing.of(header))
            self.meter.add_handled(header.seq)
        for message in _messages(output):
            self._emit(message, header)
        self._trace(taken, completed_by, started_ns, finished_ns)
        return account.USED

    def _trace(
        self, taken: dict[str, Arrived], completed_by: str, started_ns: int, finished_ns: int, *, failed: bool = False
    ) -> None:
        if self.trace is None:
            return
        header = taken[self._primary].message.header
        self.trace.write(
            Call(
                source=header.source,
                seq=header.seq,
                name=header.name,
                due_ns=header.due_ns,
                inputs=tuple(self._traced(item) for item in taken.values()),
                completed_by=completed_by,
                started_ns=started_ns,
                finished_ns=finished_ns,
                busy_ns=finished_ns - started_ns,
                failed=failed,
            )
        )

    def _traced(self, item: Arrived) -> Taken:
        return Taken(
            input=item.input,
            publisher=self._specs[item.input].publisher,
            source=item.message.header.source,
            seq=item.message.header.seq,
            published_ns=item.link.published_ns,
            sent_ns=item.link.sent_ns,
            received_ns=item.received_ns,
        )

    def _full_status(self, status: tuple[InputStatus, ...]) -> tuple[InputStatus, ...]:
        """One entry per input of the node, also for those that this graph does not connect."""
        known = {entry.topic: entry for entry in status}
        return tuple(
            known.get(given.name, InputStatus(given.name, "ok" if given.name in self._specs else "absent"))
            for given in self.signature.inputs
        )

    def _finish(self) -> None:
        """Let the node emit what it still holds."""
        if not hasattr(self._node, "finish"):
            return
        self.meter.busy_since_ns = now_ns()
        for message in self._node.finish():
            self._emit(message, message.header)
        self.meter.busy_since_ns = None

    def _acknowledge(self, item: Arrived, outcome: str, *, credit: int) -> None:
        self.links.inputs.acknowledge(item.input, credit=credit, done=[(item.link.seq, outcome)])

    def _name_loss(self, item: Arrived, reason: str, detail: str) -> None:
        """Put the why beside a loss that the edge's account only counts."""
        header = item.message.header
        log.error("%s: %s %s: %s", self.task.name, header.name or f"#{header.seq}", reason, detail)
        edge = f"{self._specs[item.input].publisher} -> {self.task.name}.{item.input}"
        with self.links.exchange.changed:
            self.meter.add_loss(Loss(edge, header.seq, header.name, reason, detail))


def _messages(output: Any) -> Iterator[Message]:
    """A node returns nothing, one message, or several."""
    if output is None:
        return
    if isinstance(output, Message):
        yield output
    else:
        yield from output
