"""pyzmq and nothing else: PUSH to PULL, one frame, no copy on either side, high-water marks as the only limit."""

from __future__ import annotations

import numpy as np
import zmq

from pipeline.links.wire import KERNEL_BUFFER_BYTES
from profiling.transport.peers.interface import QUEUE, Meeting


class Sender:
    def __init__(self, meeting: Meeting) -> None:
        self._socket = meeting.context.socket(zmq.PUSH)
        self._socket.linger = 0
        self._socket.sndhwm = QUEUE
        self._socket.sndbuf = KERNEL_BUFFER_BYTES
        self._socket.bind(
            {"inproc": "inproc://plain", "ipc": f"ipc://{meeting.folder}/plain", "tcp": "tcp://127.0.0.1:*"}[
                meeting.wire
            ]
        )
        self.endpoint = bytes(self._socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

    def send(self, payload: np.ndarray) -> None:
        self._socket.send(payload, copy=False)

    def close(self) -> None:
        self._socket.close()


class Receiver:
    def __init__(self, meeting: Meeting) -> None:
        self._socket = meeting.context.socket(zmq.PULL)
        self._socket.linger = 0
        self._socket.rcvhwm = QUEUE
        self._socket.rcvbuf = KERNEL_BUFFER_BYTES
        self._socket.connect(meeting.endpoint)

    def receive(self) -> np.ndarray:
        return np.frombuffer(self._socket.recv(copy=False).buffer, np.uint8)

    def done(self) -> None:
        """Nothing to say: the sender is held back by the high-water marks alone."""

    def close(self) -> None:
        self._socket.close()
