"""The synchroniser, against a brute-force match over whole sequences, under every order of arrival."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import ActionProposals, Header, Message
from pipeline.synchroniser import Released, Synchroniser, SyncSet, TopicSync

PRIMARY = "scan"


def message(topic: str, stamp_ns: int) -> Message:
    return ActionProposals(header=Header(source=topic, stamp_ns=stamp_ns))


def stamps(sync_set: SyncSet) -> dict[str, int | None]:
    """The stamps of a set's messages, by topic."""
    return {name: None if found is None else found.header.stamp_ns for name, found in sync_set.inputs.items()}


def reasons(sync_set: SyncSet) -> dict[str, str]:
    return {entry.topic: entry.reason for entry in sync_set.status}


def released(synchroniser: Synchroniser) -> Counter[tuple[str, int, str]]:
    return Counter((r.topic, r.message.header.stamp_ns, r.reason) for r in synchroniser.take_released())


# --- hypothesis: a scene is the sequences of all topics; an order is how they interleave, ends included


class Scene(msgspec.Struct, frozen=True):
    """What a recording holds: stamps per topic, and how the other topics are matched."""

    sequences: dict[str, list[int]]
    others: list[TopicSync]

    def events(self) -> Counter[str]:
        """How many steps each topic takes: its messages and its end."""
        return Counter({topic: len(sequence) + 1 for topic, sequence in self.sequences.items()})

    def play(self, synchroniser: Synchroniser, order: Sequence[str]) -> Iterator[list[SyncSet]]:
        """Deliver one message (or the end) of each topic named in ``order``, at time 0."""
        queues = {topic: iter(sequence) for topic, sequence in self.sequences.items()}
        for topic in order:
            stamp_ns = next(queues[topic], None)
            if stamp_ns is None:
                yield synchroniser.end(topic, 0)
            else:
                yield synchroniser.add(topic, message(topic, stamp_ns), 0)


def increasing(max_size: int = 10) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 60), unique=True, max_size=max_size).map(sorted)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    names = ["image", "labels", "tracks"][: draw(st.integers(1, 3))]
    others = [
        TopicSync(
            name=name,
            offset_ns=draw(st.integers(-20, 20)),
            tolerance_ns=draw(st.integers(0, 25)),
            period_ns=draw(st.just(0) | st.integers(1, 40)),
            optional=draw(st.booleans()),
        )
        for name in names
    ]
    return Scene({name: draw(increasing()) for name in [PRIMARY, *names]}, others)


@st.composite
def scenes_with_order(draw: st.DrawFn, count: int = 1) -> tuple[Scene, list[list[str]]]:
    scene = draw(scenes())
    return scene, [draw(st.permutations(list(scene.events().elements()))) for _ in range(count)]


def nearest(candidates: Sequence[int], sync: TopicSync, target_ns: int) -> int | None:
    """The nearest stamp within tolerance, the earlier one in a tie; offsets are in already."""
    within = [c for c in candidates if abs(c - target_ns) <= sync.tolerance_ns]
    return min(within, key=lambda c: (abs(c - target_ns), c), default=None)


def expected_match(sequence: list[int], sync: TopicSync, target_ns: int) -> tuple[int | None, str]:
    """Stamp and status by the rule, from the whole sequence."""
    shifted = [stamp_ns + sync.offset_ns for stamp_ns in sequence]
    least_gap = Fraction(9, 10) * sync.period_ns
    sure = [
        c
        for c in shifted
        if c < target_ns and target_ns - c <= sync.tolerance_ns and c + least_gap - target_ns >= target_ns - c
    ]
    match = sure[0] if sure else nearest(shifted, sync, target_ns)
    if match is not None:
        return match - sync.offset_ns, "ok"
    return None, "passed" if any(c > target_ns + sync.tolerance_ns for c in shifted) else "ended"


@given(scenes_with_order())
def test_every_primary_gets_its_nearest_in_order(case: tuple[Scene, list[list[str]]]) -> None:
    scene, (order,) = case
    synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None, max_pending=None)
    sets = [s for step in scene.play(synchroniser, order) for s in step]
    assert [s.primary.header.stamp_ns for s in sets] == scene.sequences[PRIMARY]
    for got in sets:
        target_ns = got.primary.header.stamp_ns
        expected = {sync.name: expected_match(scene.sequences[sync.name], sync, target_ns) for sync in scene.others}
        assert stamps(got) == {name: stamp_ns for name, (stamp_ns, _) in expected.items()}
        assert [(e.topic, e.reason, e.stamp_ns) for e in got.status] == [
            (PRIMARY, "ok", target_ns),
            *((name, reason, stamp_ns) for name, (stamp_ns, reason) in expected.items()),
        ]
        assert got.usable == all(sync.optional or expected[sync.name][0] is not None for sync in scene.others)


@given(sequence=increasing(), target_ns=st.integers(0, 60), tolerance_ns=st.integers(0, 25))
def test_a_declared_period_that_is_kept_changes_no_match(
    sequence: list[int], target_ns: int, tolerance_ns: int
) -> None:
    gaps = [b - a for a, b in itertools.pairwise(sequence)]
    period_ns = min(gaps, default=10) * 10 // 9  # the shortest gap is 0.9 periods or more
    sync = TopicSync(name="image", tolerance_ns=tolerance_ns, period_ns=period_ns, optional=True)
    scene = Scene({PRIMARY: [target_ns], "image": sequence}, [sync])
    synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None)
    (got,) = [s for step in scene.play(synchroniser, sorted(scene.events().elements())) for s in step]
    assert stamps(got)["image"] == nearest(sequence, sync, target_ns)


@given(scenes_with_order(count=2))
def test_order_of_arrival_does_not_matter(case: tuple[Scene, list[list[str]]]) -> None:
    scene, orders = case
    outcomes = []
    for order in orders:
        synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None, max_pending=None)
        sets = [s for step in scene.play(synchroniser, order) for s in step]
        outcomes.append(([(s.primary, s.inputs, s.status, s.usable) for s in sets], released(synchroniser)))
    assert outcomes[0] == outcomes[1]


@given(scenes_with_order(), st.none() | st.integers(1, 4))
def test_every_message_is_released_exactly_once(case: tuple[Scene, list[list[str]]], max_pending: int | None) -> None:
    scene, (order,) = case
    synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None, max_pending=max_pending)
    in_usable, in_any = set(), set()
    for step in scene.play(synchroniser, order):
        for got in step:
            members = {(PRIMARY, got.primary.header.stamp_ns), *stamps(got).items()}
            in_any |= members
            in_usable |= members if got.usable else set()
    outcome = {}
    for topic, stamp_ns, reason in released(synchroniser).elements():
        assert (topic, stamp_ns) not in outcome
        outcome[topic, stamp_ns] = reason
    assert set(outcome) == {(topic, stamp_ns) for topic, seq in scene.sequences.items() for stamp_ns in seq}
    assert not any(synchroniser.pending.values())
    for key, reason in outcome.items():
        assert (reason == "used") == (key in in_usable)
        assert reason in ("used", "incomplete") or key not in in_any or reason == "sync_overflow"
        assert max_pending is not None or reason != "sync_overflow"
    assert not synchroniser.take_released()


@given(scenes_with_order(), st.integers(1, 4))
def test_what_is_held_is_bounded(case: tuple[Scene, list[list[str]]], max_pending: int) -> None:
    scene, (order,) = case
    synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None, max_pending=max_pending)
    emitted = []
    for step in scene.play(synchroniser, order):
        emitted += [s.primary.header.stamp_ns for s in step]
        held = synchroniser.pending
        assert held.pop(PRIMARY) <= max_pending
        assert all(count <= 2 * max_pending for count in held.values())  # open ones, and those chosen by a pending set
    dropped = [s for t, s, reason in released(synchroniser) if (t, reason) == (PRIMARY, "sync_overflow")]
    assert emitted == sorted(emitted)
    assert sorted(emitted + dropped) == scene.sequences[PRIMARY]


@given(scenes(), st.randoms(use_true_random=False))
def test_two_credits_per_topic_are_enough_to_go_on(scene: Scene, random: Random) -> None:
    """Under flow control a topic may have two messages unreleased: whoever may send does, and nobody waits for ever."""
    synchroniser = Synchroniser(PRIMARY, scene.others, timeout_ns=None, max_pending=None)
    waiting = {topic: list(sequence) for topic, sequence in scene.sequences.items()}
    credit = dict.fromkeys(waiting, 2)
    while waiting:
        able = [topic for topic in waiting if credit[topic] or not waiting[topic]]
        assert able, f"all wait: {waiting}, held {synchroniser.pending}"
        topic = random.choice(able)
        if waiting[topic]:
            synchroniser.add(topic, message(topic, waiting[topic].pop(0)), 0)
            credit[topic] -= 1
        else:
            synchroniser.end(topic, 0)
            del waiting[topic]
        for done in synchroniser.take_released():
            credit[done.topic] += 1


# --- time


@given(scenes_with_order(), st.data(), st.integers(0, 20))
def test_nothing_waits_longer_than_the_timeout(
    case: tuple[Scene, list[list[str]]], data: st.DataObject, timeout_ns: int
) -> None:
    scene, (order,) = case
    others = [msgspec.structs.replace(sync, period_ns=0) for sync in scene.others]
    synchroniser = Synchroniser(PRIMARY, others, timeout_ns=timeout_ns, max_pending=None)
    queues = {topic: iter(sequence) for topic, sequence in scene.sequences.items()}
    arrived: dict[str, list[int]] = {topic: [] for topic in queues}
    arrived_at: dict[int, int] = {}
    emitted = []
    now_ns = 0
    for topic in order:
        now_ns += data.draw(st.integers(0, 10))
        sets = synchroniser.expire(now_ns) if data.draw(st.booleans()) else []
        for got in sets:
            check_timed_set(got, others, arrived, now_ns - arrived_at[got.primary.header.stamp_ns] >= timeout_ns)
        emitted += sets
        stamp_ns = next(queues[topic], None)
        if stamp_ns is None:
            sets = synchroniser.end(topic, now_ns)
        else:
            arrived[topic].append(stamp_ns)
            if topic == PRIMARY:
                arrived_at[stamp_ns] = now_ns
            sets = synchroniser.add(topic, message(topic, stamp_ns), now_ns)
        for got in sets:
            check_timed_set(got, others, arrived, now_ns - arrived_at[got.primary.header.stamp_ns] >= timeout_ns)
        emitted += sets
        next_ns = synchroniser.next_expiry_ns()
        assert next_ns is None or next_ns > now_ns
        assert (next_ns is None) == (synchroniser.pending[PRIMARY] == 0)
    emitted += synchroniser.expire(now_ns + timeout_ns)
    assert [s.primary.header.stamp_ns for s in emitted] == scene.sequences[PRIMARY]
    assert synchroniser.next_expiry_ns() is None
    once = Counter((r.topic, r.message.header.stamp_ns) for r in synchroniser.take_released())
    assert once == Counter((topic, stamp_ns) for topic, sequence in scene.sequences.items() for stamp_ns in sequence)


def check_timed_set(got: SyncSet, others: list[TopicSync], arrived: dict[str, list[int]], overdue: bool) -> None:
    """Each input is the nearest of what had arrived; ``timeout`` is said only when the time was up."""
    for sync in others:
        shifted = [stamp_ns + sync.offset_ns for stamp_ns in arrived[sync.name]]
        match = nearest(shifted, sync, got.primary.header.stamp_ns)
        assert stamps(got)[sync.name] == (None if match is None else match - sync.offset_ns)
        assert overdue or reasons(got)[sync.name] != "timeout"


# --- by example


def image(**options: int | bool) -> TopicSync:
    return TopicSync(name="image", **{"tolerance_ns": 50, **options})  # type: ignore[arg-type]


def test_a_set_waits_until_no_later_message_can_be_nearer() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    assert synchroniser.add("image", message("image", 90), 0) == []
    assert synchroniser.add(PRIMARY, message(PRIMARY, 100), 0) == []
    (got,) = synchroniser.add("image", message("image", 120), 0)
    assert (stamps(got), got.completed_by, got.usable) == ({"image": 90}, "image", True)


def test_a_tie_goes_to_the_earlier() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    synchroniser.add("image", message("image", 90), 0)
    (got,) = synchroniser.add("image", message("image", 110), 0)
    assert stamps(got) == {"image": 90}


def test_a_message_is_kept_for_the_tie_it_may_win() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    for stamp_ns in (90, 110):
        synchroniser.add("image", message("image", stamp_ns), 0)
    for stamp_ns in (99, 100):
        (got,) = synchroniser.add(PRIMARY, message(PRIMARY, stamp_ns), 0)
        assert stamps(got) == {"image": 90}


def test_a_message_at_the_very_stamp_completes_at_once() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    assert synchroniser.add("image", message("image", 100), 0) == []
    (got,) = synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    assert (stamps(got), got.completed_by) == ({"image": 100}, PRIMARY)


@pytest.mark.parametrize(("stamp_ns", "at_once"), [(55, True), (54, False)])
def test_a_known_period_saves_the_wait(stamp_ns: int, at_once: bool) -> None:
    """With 100 between messages, and 90 at the least, nothing after 55 can come nearer to 100 than 145."""
    synchroniser = Synchroniser(PRIMARY, [image(period_ns=100)], timeout_ns=None)
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    assert bool(synchroniser.add("image", message("image", stamp_ns), 0)) == at_once


def test_the_offset_shifts_the_comparison_and_not_the_message() -> None:
    synchroniser = Synchroniser(PRIMARY, [image(offset_ns=1000, tolerance_ns=5)], timeout_ns=None)
    synchroniser.add(PRIMARY, message(PRIMARY, 1100), 0)
    (got,) = synchroniser.add("image", message("image", 102), 0)
    assert stamps(got) == {"image": 102}
    assert got.status[1].stamp_ns == 102


def test_a_slow_topic_serves_several_primaries_and_is_released_once() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    synchroniser.add("image", message("image", 100), 0)
    sets = [s for t in (80, 100) for s in synchroniser.add(PRIMARY, message(PRIMARY, t), 0)]
    assert [stamps(s) for s in sets] == [{"image": 100}, {"image": 100}]
    assert released(synchroniser) == {(PRIMARY, 80, "used"): 1, (PRIMARY, 100, "used"): 1}
    assert synchroniser.pending == {PRIMARY: 0, "image": 1}
    synchroniser.add(PRIMARY, message(PRIMARY, 151), 0)
    assert released(synchroniser) == {("image", 100, "used"): 1}


def test_a_gap_after_a_restart_is_passed_and_then_all_goes_on() -> None:
    synchroniser = Synchroniser(PRIMARY, [image(optional=True)], timeout_ns=None)
    sets = [s for t in (100, 200, 300, 400) for s in synchroniser.add(PRIMARY, message(PRIMARY, t), 0)]
    sets += [s for t in (100, 400) for s in synchroniser.add("image", message("image", t), 0)]
    assert [stamps(s)["image"] for s in sets] == [100, None, None, 400]
    assert [reasons(s)["image"] for s in sets] == ["ok", "passed", "passed", "ok"]
    assert all(s.usable for s in sets)


def test_a_set_without_a_required_input_is_not_usable_and_its_messages_are_incomplete() -> None:
    synchroniser = Synchroniser(
        PRIMARY, [image(optional=True), TopicSync(name="labels", tolerance_ns=0)], timeout_ns=None
    )
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    synchroniser.add("image", message("image", 100), 0)
    (got,) = synchroniser.end("labels", 0)
    assert not got.usable
    assert got.completed_by == "labels"
    assert reasons(got) == {PRIMARY: "ok", "image": "ok", "labels": "ended"}
    synchroniser.end(PRIMARY, 0)
    assert released(synchroniser) == {(PRIMARY, 100, "incomplete"): 1, ("image", 100, "incomplete"): 1}


def test_what_is_not_after_the_one_before_is_late() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    for topic in (PRIMARY, "image"):
        synchroniser.add(topic, message(topic, 100), 0)
        for stamp_ns in (100, 99):
            assert synchroniser.add(topic, message(topic, stamp_ns), 0) == []
    late = {key for key in released(synchroniser) if key[2] == "late"}
    assert late == {(topic, stamp_ns, "late") for topic in (PRIMARY, "image") for stamp_ns in (100, 99)}


def test_what_comes_after_the_end_of_its_topic_is_late() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    for topic in ("image", PRIMARY):
        synchroniser.end(topic, 0)
        assert synchroniser.add(topic, message(topic, 5), 0) == []
    assert released(synchroniser) == {("image", 5, "late"): 1, (PRIMARY, 5, "late"): 1}


def test_messages_are_released_as_soon_as_no_primary_can_want_them() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=500, max_pending=1)
    synchroniser.add("image", message("image", 10), 0)
    synchroniser.add(PRIMARY, message(PRIMARY, 60), 0)
    synchroniser.expire(500)
    assert released(synchroniser) == {(PRIMARY, 60, "used"): 1, ("image", 10, "used"): 1}
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 600)
    synchroniser.add("image", message("image", 70), 600)
    synchroniser.add(PRIMARY, message(PRIMARY, 200), 600)
    assert released(synchroniser) == {(PRIMARY, 100, "sync_overflow"): 1, ("image", 70, "unmatched"): 1}


def test_a_primary_frees_all_that_is_too_old_for_it() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    for stamp_ns in (10, 20, 30):
        synchroniser.add("image", message("image", stamp_ns), 0)
    synchroniser.add(PRIMARY, message(PRIMARY, 200), 0)
    assert released(synchroniser) == {("image", stamp_ns, "unmatched"): 1 for stamp_ns in (10, 20, 30)}


def test_after_the_last_primary_nothing_is_kept() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    synchroniser.add("image", message("image", 500), 0)
    synchroniser.end(PRIMARY, 0)
    synchroniser.add("image", message("image", 600), 0)
    assert released(synchroniser) == {("image", 500, "unmatched"): 1, ("image", 600, "unmatched"): 1}


def test_when_time_is_up_the_nearest_so_far_is_taken() -> None:
    labels = TopicSync(name="labels", tolerance_ns=0, optional=True)
    synchroniser = Synchroniser(PRIMARY, [image(), labels], timeout_ns=500)
    synchroniser.add("image", message("image", 90), 0)
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 1000)
    assert synchroniser.next_expiry_ns() == 1500
    assert synchroniser.expire(1499) == []
    (got,) = synchroniser.expire(1500)
    assert stamps(got) == {"image": 90, "labels": None}
    assert reasons(got) == {PRIMARY: "ok", "image": "ok", "labels": "timeout"}
    assert got.completed_by == PRIMARY
    assert synchroniser.next_expiry_ns() is None


def test_an_arrival_also_completes_what_is_overdue() -> None:
    """A busy inbox must not keep :meth:`expire` from being due."""
    synchroniser = Synchroniser(PRIMARY, [image(optional=True)], timeout_ns=500)
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    (got,) = synchroniser.add(PRIMARY, message(PRIMARY, 200), 600)
    assert reasons(got)["image"] == "timeout"
    assert synchroniser.next_expiry_ns() == 1100


def test_a_complete_set_waits_for_the_one_before_it() -> None:
    synchroniser = Synchroniser(PRIMARY, [image(), TopicSync(name="labels", tolerance_ns=0)], timeout_ns=None)
    for stamp_ns in (100, 200):
        synchroniser.add(PRIMARY, message(PRIMARY, stamp_ns), 0)
        synchroniser.add("image", message("image", stamp_ns), 0)
    assert synchroniser.add("labels", message("labels", 100), 0)[0].completed_by == "labels"
    (second,) = synchroniser.add("labels", message("labels", 200), 0)
    assert stamps(second) == {"image": 200, "labels": 200}


def test_the_oldest_primary_goes_when_too_many_wait() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None, max_pending=2)
    for stamp_ns in (100, 200, 300):
        assert synchroniser.add(PRIMARY, message(PRIMARY, stamp_ns), 0) == []
    assert released(synchroniser) == {(PRIMARY, 100, "sync_overflow"): 1}
    sets = synchroniser.add("image", message("image", 300), 0)
    assert [s.primary.header.stamp_ns for s in sets] == [200, 300]


def test_the_oldest_of_a_topic_goes_when_no_primary_comes() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None, max_pending=2)
    for stamp_ns in (100, 200, 300):
        synchroniser.add("image", message("image", stamp_ns), 0)
    assert released(synchroniser) == {("image", 100, "sync_overflow"): 1}


def test_a_message_that_overflows_after_it_was_chosen_shares_its_sets_fate() -> None:
    synchroniser = Synchroniser(
        PRIMARY, [image(), TopicSync(name="labels", tolerance_ns=0)], timeout_ns=None, max_pending=1
    )
    synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    for stamp_ns in (100, 140):
        synchroniser.add("image", message("image", stamp_ns), 0)
    assert released(synchroniser) == {}
    (got,) = synchroniser.end("labels", 0)
    assert stamps(got) == {"image": 100, "labels": None}
    assert released(synchroniser) == {(PRIMARY, 100, "incomplete"): 1, ("image", 100, "incomplete"): 1}


def test_released_messages_are_the_very_ones_that_were_added() -> None:
    synchroniser = Synchroniser(PRIMARY, [image()], timeout_ns=None)
    scan, frame = message(PRIMARY, 100), message("image", 100)
    synchroniser.add("image", frame, 0)
    (got,) = synchroniser.add(PRIMARY, scan, 0)
    synchroniser.end(PRIMARY, 0)
    assert got.primary is scan
    assert got.inputs["image"] is frame
    done: list[Released] = synchroniser.take_released()
    assert {id(r.message) for r in done} == {id(scan), id(frame)}


def test_without_other_topics_every_message_is_a_set() -> None:
    synchroniser = Synchroniser(PRIMARY, [], timeout_ns=None)
    (got,) = synchroniser.add(PRIMARY, message(PRIMARY, 100), 0)
    assert (got.inputs, got.usable) == ({}, True)


def test_an_unknown_topic_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Synchroniser(PRIMARY, [image()], timeout_ns=None).add("imaeg", message("imaeg", 1), 0)
