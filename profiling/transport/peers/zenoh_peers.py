"""Two Zenoh peers that know each other (no scouting), with Zenoh's own defaults: shared memory from 3 kB up.

Zenoh's Python takes and gives ``bytes``: an array is copied once on either side, as it is for any user of it.
"""

from __future__ import annotations

import json
import socket
import time

import numpy as np
import zenoh

from profiling.transport.peers.interface import QUEUE, Meeting

TOPIC = "payload"
POOL_BYTES = 512 * 2**20  # the default of 16 MB holds no message of 32 MB


class Sender:
    def __init__(self, meeting: Meeting) -> None:
        self.endpoint = f"tcp/127.0.0.1:{_free_port()}"
        self._session = zenoh.open(_settings({"listen/endpoints": [self.endpoint], "connect/endpoints": []}))
        self._publisher = self._session.declare_publisher(
            TOPIC,
            congestion_control=zenoh.CongestionControl.BLOCK,
            reliability=zenoh.Reliability.RELIABLE,
            express=True,
        )
        self._receiver_is_there = False

    def send(self, payload: np.ndarray) -> None:
        while not self._receiver_is_there:  # what is put before is lost
            time.sleep(0.01)
            self._receiver_is_there = self._publisher.matching_status.matching
        self._publisher.put(payload.tobytes())

    def close(self) -> None:
        self._session.close()


class Receiver:
    def __init__(self, meeting: Meeting) -> None:
        self._session = zenoh.open(_settings({"listen/endpoints": [], "connect/endpoints": [meeting.endpoint]}))
        self._subscriber = self._session.declare_subscriber(TOPIC, zenoh.handlers.FifoChannel(QUEUE))

    def receive(self) -> np.ndarray:
        return np.frombuffer(self._subscriber.recv().payload.to_bytes(), np.uint8)

    def done(self) -> None:
        """Nothing to say: congestion control holds the sender back."""

    def close(self) -> None:
        self._session.close()


def _settings(endpoints: dict[str, list[str]]) -> zenoh.Config:
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("transport/shared_memory/transport_optimization/pool_size", str(POOL_BYTES))
    for key, value in endpoints.items():
        config.insert_json5(key, json.dumps(value))
    return config


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
