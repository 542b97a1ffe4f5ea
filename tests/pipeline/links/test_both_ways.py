"""What holds for every edge, whichever way its messages go: over a socket, or straight to a neighbour's inbox."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import account
from pipeline.account import EdgeAccount, Loss
from pipeline.clock import now_ns
from pipeline.codec import CodecError, decode, encode
from pipeline.control import InputSpec, NodeTask, OutputSpec
from pipeline.links.exchange import Stop
from pipeline.links.inbox import Arrived, InputEnded
from pipeline.links.node_links import NodeLinks
from pipeline.messages import CameraFrame, FusedFrame, FusedObject, Header, LidarScan, Message

PATIENCE_S = 10.0


def task(name: str, **links: Any) -> NodeTask:
    nothing: dict[str, Any] = {"inputs": [], "outputs": [], "publish": None, "curve": False, "params": {}}
    limits = dict.fromkeys(("sync_timeout_ns", "deadline_ns", "frame_limit", "resume_after", "trace"))
    return NodeTask(name=name, type="", endpoint="", **nothing | limits | links)


class Edge:
    """``lidar -> node.scan``, both ends in the test's hands."""

    def __init__(self, context: zmq.Context, way: str, policy: Any, queue: int, takes: type[Message]) -> None:
        spec = InputSpec(
            name="scan",
            publisher="lidar",
            policy=policy,
            queue=queue,
            curve=False,
            tolerance_ns=0,
            offset_ns=0,
            period_ns=0,
            publisher_is_source=True,
        )
        outputs = [OutputSpec("node.scan", policy, queue)]
        neighbours = ["node"] if way == "neighbour" else []
        self.publisher = NodeLinks(task("lidar", outputs=outputs), context, input_types={}, neighbours=neighbours)
        endpoint = self.publisher.output.bind(f"ipc:///tmp/rc-{os.urandom(4).hex()}", curve=False)
        assert (endpoint is None) == (way == "neighbour")
        self.consumer = NodeLinks(task("node", inputs=[spec]), context, input_types={"scan": takes})
        self.publisher.start({}, [], {})
        self.consumer.start({"lidar": endpoint or ""}, [], {"lidar": self.publisher} if neighbours else {})
        self.losses: list[Loss] = []
        eventually(lambda: self.publisher.output.connected)

    def publish(self, seq: int, *, deadline_ns: int | None = None) -> None:
        self.publisher.output.publish(scan(seq, deadline_ns))

    def receive(self) -> Arrived:
        item = self.consumer.inbox.receive(PATIENCE_S)
        assert isinstance(item, Arrived)
        return item

    def done(self, item: Arrived, outcome: str = account.USED) -> None:
        self.consumer.inputs.acknowledge("scan", credit=1, done=[(item.link.seq, outcome)])

    def account(self) -> EdgeAccount:
        (edge,), losses = self.publisher.output.accounts()
        self.losses += losses
        return edge

    def settled(self, outcomes: dict[str, int]) -> None:
        eventually(lambda: self.account().outcomes == outcomes)

    def close(self) -> None:
        self.consumer.close()
        self.publisher.close()


def scan(seq: int, deadline_ns: int | None = None) -> LidarScan:
    header = Header(source="lidar", seq=seq, name=f"{seq:06d}", deadline_ns=deadline_ns)
    return LidarScan(header=header, points=np.full((3, 4), seq, np.float32))


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.002)


@pytest.fixture(params=["neighbour", "socket"])
def edge(request: pytest.FixtureRequest) -> Iterator[Callable[..., Edge]]:
    context = zmq.Context()
    made: list[Edge] = []

    def make(policy: str, queue: int, takes: type[Message] = LidarScan) -> Edge:
        made.append(Edge(context, request.param, policy, queue, takes))
        return made[-1]

    yield make
    for each in made:
        each.close()
    context.term()


def test_all_delivers_everything_in_order_and_then_the_end(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=2)
    publishing = threading.Thread(target=lambda: ([link.publish(seq) for seq in range(50)], end(link)))
    publishing.start()
    for seq in range(50):
        item = link.receive()
        assert (item.message.header.seq, item.link.seq) == (seq, seq)
        assert item.link.published_ns <= item.link.sent_ns <= item.received_ns <= now_ns()
        link.done(item)
    assert link.consumer.inbox.receive(PATIENCE_S) == InputEnded("scan")
    time.sleep(0.05)
    assert publishing.is_alive()  # the end is not over before the consumer has taken note of it
    link.consumer.inputs.farewell("scan")
    publishing.join(PATIENCE_S)
    assert not publishing.is_alive()
    assert link.account() == EdgeAccount("lidar -> node.scan", "all", offered=50, outcomes={"used": 50})
    assert link.consumer.inbox.receive(0.0) is None


def end(link: Edge) -> None:
    link.publisher.output.end("finished")


def test_all_waits_for_room_and_for_no_more_than_that(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=2)
    published: list[int] = []

    def publish() -> None:
        for seq in range(6):
            link.publish(seq)
            published.append(seq)

    publishing = threading.Thread(target=publish)
    publishing.start()
    eventually(lambda: len(published) == 4)  # two against credit, two in the outbox
    time.sleep(0.05)
    assert len(published) == 4
    assert (link.account().waiting, link.account().in_flight) == (2, 2)
    link.done(link.receive())
    eventually(lambda: len(published) == 5)
    for _ in range(5):
        link.done(link.receive())
    publishing.join(PATIENCE_S)
    link.settled({"used": 6})


def test_latest_gives_the_newest_and_names_the_rest(edge: Callable[..., Edge]) -> None:
    link = edge("latest", queue=2)
    link.publish(0)
    first = link.receive()
    for seq in range(1, 7):
        link.publish(seq)
    link.done(first)
    for expected in (5, 6):
        item = link.receive()
        assert item.message.header.seq == expected
        link.done(item)
    link.settled({"overflow": 4, "used": 3})
    assert [(loss.seq, loss.reason) for loss in link.losses] == [(seq, "overflow") for seq in range(1, 5)]


def test_what_is_past_its_deadline_is_dropped_where_it_waits(edge: Callable[..., Edge]) -> None:
    """Also while nobody asks for it: the consumer is busy with the first throughout."""
    link = edge("latest", queue=5)
    link.publish(0)
    first = link.receive()
    link.publish(1, deadline_ns=now_ns() + 3600 * 10**9)
    link.publish(2, deadline_ns=now_ns() + 20 * 10**6)
    link.settled({"expired": 1})
    assert [(loss.seq, loss.reason) for loss in link.losses] == [(2, "expired")]
    link.done(first)
    assert link.receive().message.header.seq == 1


def test_a_message_of_another_type_is_counted_told_back_and_passed_over(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=8, takes=CameraFrame)
    for seq in range(3):
        link.publish(seq)
    frame = CameraFrame(header=Header(seq=3), image=np.zeros((2, 2, 3), np.uint8))
    link.publisher.output.publish(frame)
    assert link.receive().message.header.seq == 3
    link.settled({"malformed": 3})
    assert link.consumer.inbox.malformed == 3
    assert [loss.seq for loss in link.losses] == [0, 1, 2]


def test_a_message_arrives_as_the_codec_makes_it(edge: Callable[..., Edge]) -> None:
    """NumPy's numbers as Python's, arrays contiguous and read-only: no node can tell which way its input came."""
    link = edge("all", queue=2, takes=FusedFrame)
    thing = FusedObject(box=(np.float32(1.5), 2, 3, 4), class_name="Car", score=np.float64(0.5), track_id=np.int32(3))
    points = np.arange(80, dtype=np.float32).reshape(10, 8)[:, :4]
    message = FusedFrame(
        header=Header(stamp_ns=np.int64(5)), points=points, labels=np.zeros(10, np.uint8), objects=(thing,)
    )
    link.publisher.output.publish(message)
    arrived: Any = link.receive().message
    expected: Any = decode([bytes(frame) for frame in encode(message)])
    assert repr(arrived) == repr(expected)
    assert type(arrived.objects[0].track_id) is int
    for array in (arrived.points, arrived.labels):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_what_cannot_be_sent_is_the_publishers_mistake(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=2)
    with pytest.raises(CodecError, match=r"LidarScan.points: expected float32\[N, 4\], got float64"):
        link.publisher.output.publish(LidarScan(points=np.zeros((3, 4))))
    with pytest.raises(CodecError, match=r"header.name"):
        link.publisher.output.publish(LidarScan(header=Header(name=7), points=np.zeros((3, 4), np.float32)))  # type: ignore[arg-type]
    assert link.account().offered == 0


def test_abort_ends_every_wait(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=1)
    link.publish(0)
    link.publish(1)
    ended = []

    def waits(what: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                what()
            except Stop:
                ended.append(what)

        return run

    link.receive()
    publishing = threading.Thread(target=waits(lambda: link.publish(2)))
    receiving = threading.Thread(target=waits(lambda: link.consumer.inbox.receive(None)))
    publishing.start()
    receiving.start()
    link.publisher.exchange.abort()
    link.consumer.exchange.abort()
    publishing.join(PATIENCE_S)
    receiving.join(PATIENCE_S)
    assert len(ended) == 2


def test_what_is_left_when_the_links_close_is_unsent(edge: Callable[..., Edge]) -> None:
    link = edge("all", queue=1)
    link.publish(0)
    link.publish(1)
    link.receive()
    link.publisher.close()
    edge_account = link.account()
    assert edge_account.outcomes == {"unsent": 2}
    assert edge_account.unexplained == 0
    link.consumer.close()


OUTCOMES = st.sampled_from([account.USED, account.UNMATCHED, account.FAILED, account.LATE])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=st.sampled_from(["latest", "all"]),
    queue=st.integers(1, 3),
    turns=st.lists(st.tuples(st.integers(1, 4), st.lists(OUTCOMES, max_size=4)), max_size=12),
)
def test_whatever_happens_the_account_balances_and_the_order_stays(
    edge: Callable[..., Edge], policy: str, queue: int, turns: list[tuple[int, list[str]]]
) -> None:
    """In each turn the publisher has so many messages, and the consumer time for so many."""
    link = edge(policy, queue)
    offered, taken, said = 0, [], Counter[str]()

    def take(outcome: str) -> None:
        item = link.receive()
        taken.append(item.message.header.seq)
        said[outcome] += 1
        link.done(item, outcome)

    def pending() -> bool:
        edge_account = link.account()
        return edge_account.waiting + edge_account.in_flight > 0

    def settle() -> None:
        eventually(lambda: sum((now := link.account().outcomes).values()) - now.get("overflow", 0) == said.total())

    for count, outcomes in turns:
        for _ in range(count):
            if policy == "all" and link.account().waiting + link.account().in_flight >= queue:
                take(account.USED)
                settle()
            link.publish(offered)
            offered += 1
        for outcome in outcomes:
            if pending():
                take(outcome)
                settle()
    while pending():
        take(account.USED)
        settle()
    edge_account = link.account()
    lost = {loss.seq for loss in link.losses if loss.reason == account.OVERFLOW}
    assert taken == sorted(set(taken))
    assert set(taken) | lost == set(range(offered))
    assert not set(taken) & lost
    assert (policy == "latest") or not lost
    assert edge_account.offered == offered == edge_account.delivered + len(lost)
    assert edge_account.outcomes == said + Counter({account.OVERFLOW: len(lost)})
    assert not offered or taken[-1] == offered - 1
