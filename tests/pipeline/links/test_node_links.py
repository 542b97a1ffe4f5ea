"""A node's links against a publisher that lies: what is not a message is counted, and the stream goes on."""

import os
import threading
import tracemalloc
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.codec import encode
from pipeline.consumer import Consumer
from pipeline.control import InputSpec, NodeTask
from pipeline.links import wire
from pipeline.links.inbox import Arrived, InputEnded
from pipeline.links.node_links import NodeLinks
from pipeline.messages import CameraFrame, Header, LidarScan

SCAN = LidarScan(header=Header(seq=7, name="seven"), points=np.ones((5, 4), np.float32))


class Publisher:
    """The other end of a link, in a test's hands."""

    def __init__(self, context: zmq.Context, endpoint: str) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(endpoint)
        self.peer = b""

    def await_hello(self) -> wire.Hello:
        assert self.socket.poll(5000)
        self.peer, verb, body = self.socket.recv_multipart()
        assert verb == wire.HELLO
        return wire.decode_body(verb, [body])

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart([self.peer, *frames])

    def data(self, link_seq: int, *frames: bytes) -> None:
        self.send(wire.DATA, wire.encode_link(wire.Link(link_seq, 0, 0)), b"topic", *frames)

    def message(self, link_seq: int, message: object) -> None:
        self.data(link_seq, *[bytes(frame) for frame in encode(message)])

    def outcomes(self, count: int) -> dict[int, str]:
        """What the consumer says of the next ``count`` messages."""
        said: dict[int, str] = {}
        while len(said) < count:
            assert self.socket.poll(5000)
            _, verb, body = self.socket.recv_multipart()
            if verb == wire.CREDIT:
                said.update(wire.decode_body(verb, [body]).done)
        return said


@pytest.fixture
def linked() -> Iterator[tuple[Publisher, NodeLinks]]:
    context = zmq.Context()
    endpoint = f"inproc://{os.urandom(4).hex()}"
    publisher = Publisher(context, endpoint)
    spec = InputSpec(
        name="scan",
        publisher="lidar",
        policy="all",
        queue=4,
        curve=False,
        tolerance_ns=0,
        offset_ns=0,
        period_ns=0,
        publisher_is_source=True,
    )
    task = NodeTask(
        name="node",
        type="",
        params={},
        endpoint="",
        curve=False,
        inputs=[spec],
        outputs=[],
        publish=None,
        sync_timeout_ns=None,
        deadline_ns=None,
        frame_limit=None,
        resume_after=None,
        trace=None,
    )
    links = NodeLinks(task, context, input_types={"scan": LidarScan})
    links.start({"lidar": endpoint}, [], {})
    assert publisher.await_hello().credit == 4
    yield publisher, links
    links.close()
    publisher.socket.close()
    context.term()


def test_what_is_not_a_message_is_counted_told_back_and_passed_over(linked: tuple[Publisher, NodeLinks]) -> None:
    publisher, links = linked
    header, *arrays = [bytes(frame) for frame in encode(SCAN)]
    lie = msgspec.msgpack.decode(header)
    lie["arrays"][0]["shape"] = [2**40, 4]
    publisher.data(0, b"\xff\xfe noise")
    publisher.data(1, header)  # the array is missing
    publisher.data(2, header, arrays[0][:-1])  # it is cut short
    publisher.data(3, msgspec.msgpack.encode(lie), *arrays)
    publisher.message(4, CameraFrame(image=np.zeros((2, 2, 3), np.uint8)))  # the wrong type
    publisher.send(wire.DATA)  # not even a link number
    publisher.send(b"NONSENSE", b"x")
    publisher.message(5, SCAN)
    publisher.send(wire.END, wire.encode_body(wire.End("finished")))

    arrived = links.inbox.receive(5)
    assert isinstance(arrived, Arrived)
    assert arrived.link.seq == 5
    assert np.array_equal(arrived.message.points, SCAN.points)
    assert isinstance(links.inbox.receive(5), InputEnded)
    assert links.inbox.malformed == 6
    assert publisher.outcomes(5) == dict.fromkeys(range(5), "malformed")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.binary(max_size=200), max_size=6), max_size=10))
def test_random_frames_never_stop_a_link(linked: tuple[Publisher, NodeLinks], junk: list[list[bytes]]) -> None:
    publisher, links = linked
    for frames in junk:
        publisher.send(*frames, b"") if not frames else publisher.send(*frames)
    publisher.message(9, SCAN)
    while True:
        item = links.inbox.receive(5)
        assert item is not None
        if isinstance(item, Arrived) and item.link.seq == 9:
            break


def test_a_huge_claim_allocates_nothing(linked: tuple[Publisher, NodeLinks]) -> None:
    publisher, links = linked
    header, *arrays = [bytes(frame) for frame in encode(SCAN)]
    lie = msgspec.msgpack.decode(header)
    lie["arrays"][0].update(shape=[2**33, 4], nbytes=2**37)
    tracemalloc.start()
    publisher.data(0, msgspec.msgpack.encode(lie), *arrays)
    publisher.message(1, SCAN)
    assert links.inbox.receive(5).link.seq == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_an_outside_consumer_counts_malformed_messages_too() -> None:
    context = zmq.Context()
    endpoint = f"ipc:///tmp/rc-{os.urandom(4).hex()}"
    publisher = Publisher(context, endpoint)
    taken = []
    with Consumer(endpoint) as consumer:
        thread = threading.Thread(target=lambda: taken.extend(consumer))
        thread.start()
        publisher.await_hello()
        publisher.send(wire.WELCOME, b"")
        publisher.data(0, b"noise")
        publisher.send(wire.DATA)
        publisher.message(1, SCAN)
        publisher.send(wire.END, wire.encode_body(wire.End("finished")))
        thread.join(5)
        assert consumer.malformed == 2
    assert [message.header.seq for message in taken] == [7]
    publisher.socket.close()
    context.term()
