"""Whether a rate is kept, judged on streams whose rate is known."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.graph.entries import ExpectedRate
from pipeline.live.expected_rate import NO_PACE, RateJudge
from pipeline.live.status import RateStatus

S = 1_000_000_000
BEAT_NS = 200_000_000
LOOK_NS = 500_000_000


def judge_stream(
    judge: RateJudge, emitted: Callable[[float], int], duration_s: float, seed: int = 0
) -> list[RateStatus]:
    """What is said every half second of a node that has put out ``emitted(t)`` messages, told by heartbeats that come
    with the jitter of a busy machine."""
    chance = random.Random(seed)
    judge.start(0)
    statuses, beat_ns = [], 0
    for look_ns in range(LOOK_NS, round(duration_s * S), LOOK_NS):
        while beat_ns + BEAT_NS <= look_ns:
            beat_ns += BEAT_NS + chance.randrange(BEAT_NS // 2)
        counted_ns = min(beat_ns, look_ns)
        statuses.append(judge.look(look_ns, counted_ns, emitted(counted_ns / S)))
    return statuses


def at(hz: float, begin_s: float = 0.0) -> Callable[[float], int]:
    return lambda t: max(0, int((t - begin_s) * hz) + 1) if t >= begin_s else 0


@given(st.floats(0.2, 2000), st.floats(0.25, 8.0), st.integers(0, 10))
def test_a_steady_stream_is_never_called_wrong(hz: float, rate: float, seed: int) -> None:
    """At its own rate as recorded, played ``rate`` times as fast, with a first message that takes its time."""
    judge = RateJudge("n", ExpectedRate(hz=hz), rate)
    statuses = judge_stream(judge, at(hz * rate, begin_s=min(0.4, 1 / (hz * rate))), 12 + 15 / (hz * rate), seed)
    assert all(status.alive and status.ok is not False for status in statuses)
    report = judge.report()
    assert report.expected_hz == pytest.approx(hz * rate)
    assert report.ok_share == 1.0
    assert report.judged_s > 1


@pytest.mark.parametrize("factor", [0.5, 0.6, 1.5])
@pytest.mark.parametrize("hz", [2.0, 10.0, 100.0])
def test_a_stream_at_another_rate_is_reported(hz: float, factor: float) -> None:
    judge = RateJudge("n", ExpectedRate(hz=hz, tolerance=0.2), 1.0)
    statuses = judge_stream(judge, at(hz * factor), 20)
    assert statuses[-1].alive
    assert statuses[-1].ok is False
    report = judge.report()
    assert report.ok_share == 0.0
    assert report.lowest_hz == pytest.approx(hz * factor, rel=0.15)
    assert report.lowest_hz <= report.highest_hz


def test_within_its_tolerance_a_stream_is_ok() -> None:
    judge = RateJudge("n", ExpectedRate(hz=10, tolerance=0.4), 1.0)
    assert judge_stream(judge, at(7), 20)[-1].ok


def test_a_stream_that_stops_is_not_alive_and_the_share_says_how_long() -> None:
    judge = RateJudge("n", ExpectedRate(hz=10), 1.0)
    statuses = judge_stream(judge, lambda t: min(at(10)(t), 100), 20)
    assert statuses[12].alive  # at 6.5 s
    assert statuses[12].ok
    assert not statuses[-1].alive
    assert statuses[-1].ok is False
    report = judge.report()
    assert 0.25 < report.ok_share < 0.5  # of 5 to 20 s, until shortly after 10 s
    assert report.lowest_hz < 10 <= round(report.highest_hz)


def test_a_stream_that_never_begins_is_not_alive() -> None:
    judge = RateJudge("n", ExpectedRate(hz=10), 1.0)
    statuses = judge_stream(judge, lambda t: 0, 4)
    assert statuses[0].alive  # three periods and the time of a heartbeat have not passed
    assert not statuses[-1].alive
    assert judge.report().ok_share == 0.0


def test_without_a_pace_nothing_is_judged() -> None:
    judge = RateJudge("n", ExpectedRate(hz=10), None)
    assert {(status.alive, status.ok) for status in judge_stream(judge, at(3), 20)} == {(None, None)}
    report = judge.report()
    assert (report.ok_share, report.not_judged) == (None, NO_PACE)


def test_a_run_that_is_too_short_says_so() -> None:
    judge = RateJudge("n", ExpectedRate(hz=10), 1.0)
    judge_stream(judge, at(10), 3)
    report = judge.report()
    assert report.ok_share is None
    assert report.not_judged == "the run was over before a window of 5 s was full"
