"""Two nodes of a dora-rs dataflow, started by its daemon; from 4 kB up it uses shared memory."""

from __future__ import annotations

import dora
import numpy as np
import pyarrow

from profiling.transport.peers.interface import Meeting

OUTPUT = "payload"
POOL_BYTES = 512 * 2**20  # the default of 8 MB holds no message of 32 MB
QUEUE = 1000  # dora's sender does not wait: a shorter queue would lose messages


class Sender:
    endpoint = ""  # the daemon knows who takes what

    def __init__(self, meeting: Meeting) -> None:
        self._node = dora.Node()

    def send(self, payload: np.ndarray) -> None:
        self._node.send_output(OUTPUT, pyarrow.array(payload))

    def close(self) -> None:
        del self._node


class Receiver:
    def __init__(self, meeting: Meeting) -> None:
        self._node = dora.Node()
        self._event: dict[str, object] | None = None

    def receive(self) -> np.ndarray:
        while True:
            self._event = self._node.next()
            if self._event is None or self._event["type"] == "STOP":
                raise ConnectionError("dora stopped the dataflow")
            if self._event["type"] == "INPUT":
                return self._event["value"].to_numpy(zero_copy_only=True)

    def done(self) -> None:
        self._event = None  # gives the shared memory back

    def close(self) -> None:
        del self._node


def dataflow(python: str, sender_arguments: list[str], receiver_arguments: list[str]) -> dict[str, object]:
    """The two nodes as dora's descriptor has them."""
    return {
        "nodes": [
            {
                "id": "sender",
                "path": python,
                "args": " ".join(sender_arguments),
                "outputs": [OUTPUT],
                "shared_memory_pool_size": POOL_BYTES,
            },
            {
                "id": "receiver",
                "path": python,
                "args": " ".join(receiver_arguments),
                "inputs": {OUTPUT: {"source": f"sender/{OUTPUT}", "queue_size": QUEUE}},
            },
        ]
    }
