"""Rangecast's own links, as two nodes of a graph have them: outbox and credit (policy ``all``), and between processes
codec and I/O threads."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from pipeline import account
from pipeline.control import InputSpec, NodeTask, OutputSpec
from pipeline.links.inbox import Arrived
from pipeline.links.node_links import NodeLinks
from pipeline.messages import Header, Message, uint8
from profiling.transport.peers.interface import QUEUE, Meeting


class Payload(Message, frozen=True, kw_only=True):
    """A message of a single array."""

    values: Annotated[np.ndarray, uint8("N")]


class Sender:
    def __init__(self, meeting: Meeting) -> None:
        outputs = [OutputSpec("receiver.payload", "all", QUEUE)]
        neighbours = ["receiver"] if meeting.wire == "inproc" else []
        task = _task("sender", outputs=outputs)
        self.links = NodeLinks(task, meeting.context, input_types={}, neighbours=neighbours)
        endpoint = "tcp://127.0.0.1:*" if meeting.wire == "tcp" else f"ipc://{meeting.folder}/links"
        self.endpoint = self.links.output.bind(endpoint, curve=False) or ""
        self.links.start({}, [], {})
        self._seq = 0

    def send(self, payload: np.ndarray) -> None:
        self.links.output.publish(Payload(header=Header(source="sender", seq=self._seq), values=payload))
        self._seq += 1

    def close(self) -> None:
        self.links.close()


class Receiver:
    def __init__(self, meeting: Meeting) -> None:
        given = InputSpec(
            name="payload",
            publisher="sender",
            policy="all",
            queue=QUEUE,
            curve=False,
            tolerance_ns=0,
            offset_ns=0,
            period_ns=0,
            publisher_is_source=True,
        )
        self._links = NodeLinks(_task("receiver", inputs=[given]), meeting.context, input_types={"payload": Payload})
        neighbours = {"sender": meeting.sender.links} if meeting.wire == "inproc" else {}
        self._links.start({"sender": meeting.endpoint}, [], neighbours)
        self._arrived: Arrived | None = None

    def receive(self) -> np.ndarray:
        item = self._links.inbox.receive(timeout_s=None)
        assert isinstance(item, Arrived)  # the sender is ended after us
        self._arrived = item
        message: Any = item.message
        return message.values

    def done(self) -> None:
        assert self._arrived is not None
        self._links.inputs.acknowledge("payload", credit=1, done=[(self._arrived.link.seq, account.USED)])
        self._arrived = None

    def close(self) -> None:
        self._links.close()


def _task(name: str, *, inputs: list[InputSpec] | None = None, outputs: list[OutputSpec] | None = None) -> NodeTask:
    return NodeTask(
        name=name,
        type="",
        params={},
        endpoint="",
        curve=False,
        inputs=inputs or [],
        outputs=outputs or [],
        publish=None,
        sync_timeout_ns=None,
        deadline_ns=None,
        frame_limit=None,
        resume_after=None,
        trace=None,
    )
