"""The outbox: every message ends in exactly one way, and the policies do what they say."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline import account
from pipeline.links.outbox import Outbox, Parcel
from pipeline.messages import Header, Message


def parcel(seq: int, deadline_ns: int | None = None) -> Parcel:
    return Parcel(Message(header=Header(seq=seq, name=str(seq), deadline_ns=deadline_ns)), [b"x"], published_ns=0)


def connected(policy: str, queue: int, credit: int) -> Outbox:
    outbox = Outbox("a -> b.x", policy, queue)
    outbox.connect(b"peer", credit, 0)
    return outbox


def test_latest_keeps_the_newest_and_counts_the_rest() -> None:
    outbox = connected("latest", queue=2, credit=0)
    for seq in range(5):
        outbox.put(parcel(seq))
    assert [item.header.seq for _, item in outbox.waiting] == [3, 4]
    assert outbox.outcomes == {account.OVERFLOW: 3}
    assert [loss.seq for loss in outbox.losses] == [0, 1, 2]


def test_latest_does_not_drop_what_credit_will_carry() -> None:
    outbox = connected("latest", queue=1, credit=2)
    for seq in range(3):
        outbox.put(parcel(seq))
    assert [outbox.take(0)[1].header.seq for _ in range(2)] == [0, 1]
    assert outbox.take(0) is None
    assert not outbox.losses


def test_all_is_full_and_never_drops() -> None:
    outbox = connected("all", queue=2, credit=0)
    outbox.put(parcel(0))
    assert not outbox.full
    outbox.put(parcel(1))
    assert outbox.full
    outbox.acknowledge(1, [])
    assert outbox.take(0)[1].header.seq == 0
    assert not outbox.full


def test_expired_work_is_dropped_where_it_waits() -> None:
    outbox = connected("all", queue=4, credit=4)
    outbox.put(parcel(0, deadline_ns=100))
    outbox.put(parcel(1, deadline_ns=300))
    assert outbox.take(200)[1].header.seq == 1
    assert outbox.outcomes == {account.EXPIRED: 1}


def test_a_restarted_consumer_loses_only_what_the_dead_one_had() -> None:
    outbox = connected("all", queue=4, credit=2)
    for seq in range(4):
        outbox.put(parcel(seq))
    outbox.take(0)
    outbox.take(0)
    outbox.acknowledge(0, [(0, account.USED)])
    assert outbox.connect(b"peer2", 4, 1)
    assert outbox.outcomes == {account.USED: 1, account.CONSUMER_DIED: 1}
    assert [outbox.take(0)[1].header.seq for _ in range(2)] == [2, 3]


def test_saying_hello_twice_grants_credit_once() -> None:
    outbox = connected("all", queue=4, credit=1)
    assert not outbox.connect(b"peer", 1, 0)
    assert outbox.credit == 1


def test_made_up_acknowledgements_change_nothing() -> None:
    outbox = connected("all", queue=4, credit=1)
    outbox.put(parcel(0))
    outbox.acknowledge(-5, [(7, account.USED), (0, account.USED)])
    assert outbox.credit == 1
    assert not outbox.outcomes


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 20)),
        st.tuples(st.just("take"), st.integers(0, 20)),
        st.tuples(st.just("ack"), st.integers(0, 30)),
        st.tuples(st.just("die"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    max_size=60,
)


@given(steps, st.sampled_from(["latest", "all"]), st.integers(1, 3))
def test_the_account_always_balances(actions: list[tuple[str, int]], policy: str, queue: int) -> None:
    """Whatever happens: offered = outcomes + waiting + in flight, and each loss is named once."""
    outbox = connected(policy, queue, credit=2)
    seq = 0
    for action, value in actions:
        if action == "put" and not outbox.full:
            outbox.put(parcel(seq, deadline_ns=value))
            seq += 1
        elif action == "take":
            outbox.take(now_ns=value)
        elif action == "ack":
            outbox.acknowledge(1, [(value, account.USED if value % 3 else account.FAILED)])
        elif action == "die":
            outbox.lose_consumer()
            outbox.connect(b"next", 2, seq + 1000)
        elif action == "close":
            outbox.close(account.CONSUMER_GONE)
        told = outbox.account()
        assert told.offered == sum(told.outcomes.values()) + told.waiting + told.in_flight
        lost = sum(count for reason, count in told.outcomes.items() if reason not in account.NOT_A_LOSS)
        assert len(outbox.losses) == lost
    outbox.close(account.UNSENT)
    assert outbox.account().unexplained == 0
