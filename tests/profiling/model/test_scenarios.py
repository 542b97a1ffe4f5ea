"""How inputs come: what is taken, what is missed, how long each waits. On a clock that the test holds."""

import re
import threading

import numpy as np
import pytest

from errors import UserError
from profiling.model.scenarios import STAGES, Scenario, at_rate, join, offline, parse, single, streams_of
from profiling.model.stages import GraphAlone

ITEM = {"x": np.zeros(4, np.float32)}


class Clock:
    """Time that passes only by what is done."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds + 1e-9  # a real sleep never ends early


class Session:
    """Takes ``seconds`` of the clock for each inference, by turns, and remembers what it was given."""

    def __init__(self, clock: Clock, *seconds: float) -> None:
        self.clock, self.seconds, self.given = clock, seconds, []

    def infer(self, arrays):
        self.clock.pass_by(self.seconds[len(self.given) % len(self.seconds)])
        self.given.append(arrays)
        return {"y": arrays["x"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("single", Scenario("single")), ("offline", Scenario("offline")), ("rate:12.5", Scenario("rate", 12.5))],
)
def test_scenarios_are_read_and_written_alike(text, expected):
    assert parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("singel", "--scenario 'singel' is not known; did you mean 'single'?"),
        ("offline:3", "--scenario 'offline:3' is not known"),
        ("rate", "--scenario 'rate': give the rate of arrivals in Hz, as rate:10"),
        *((f"rate:{rate}", f"--scenario 'rate:{rate}': give the rate") for rate in ("0", "-1", "nan", "inf", "fast")),
    ],
)
def test_others_are_one_line(text, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse(text)


def test_only_offline_has_several_streams_and_they_share_the_threads():
    assert streams_of(Scenario("single"), 8) == (1, 8)
    assert streams_of(Scenario("offline"), 1) == (1, 1)
    assert streams_of(Scenario("offline"), 2) == (2, 1)
    assert streams_of(Scenario("offline"), 16) == (4, 4)


def test_a_model_that_keeps_up_misses_nothing_and_nothing_waits():
    clock = Clock()
    found = at_rate(Session(clock, 0.03), GraphAlone(), [ITEM], 5, 10.0, clock, clock.pass_by)
    assert found["latency"] == pytest.approx([30.0] * 5, abs=1e-3)
    assert found["missed"] == [0.0]


def test_a_model_that_is_too_slow_takes_the_newest_and_the_others_are_missed():
    clock, items = Clock(), [{"x": np.full(1, i)} for i in range(9)]
    session = Session(clock, 0.25)
    found = at_rate(session, GraphAlone(), items, 9, 10.0, clock, clock.pass_by)
    # Arrivals at 0, 0.1, … 0.8 s; free at 0, 0.25, 0.5, 0.75 s, and 1.0 s, when 0.8 s is the newest.
    assert [int(given["x"][0]) for given in session.given] == [0, 2, 5, 7, 8]
    assert found["latency"] == pytest.approx([250, 300, 250, 300, 450], abs=1e-3)
    assert found["missed"] == pytest.approx([100 * 4 / 9])


def test_one_slow_inference_delays_the_next_arrival():
    clock = Clock()
    found = at_rate(Session(clock, 0.15, 0.02), GraphAlone(), [ITEM], 4, 10.0, clock, clock.pass_by)
    assert found["latency"][:2] == pytest.approx([150, 70], abs=1e-3)


def test_single_tells_each_stage():
    clock = Clock()
    found = single(Session(clock, 0.0), GraphAlone(), ITEM)
    assert tuple(found) == STAGES
    assert all(len(samples) == 1 and samples[0] >= 0 for samples in found.values())


def test_offline_every_session_works_and_all_images_are_inferred():
    meet, counts = threading.Barrier(2, timeout=20), [0, 0]

    class Meeting:
        def __init__(self, which: int) -> None:
            self.which = which

        def infer(self, arrays):
            if not counts[self.which]:
                meet.wait()  # passes only if the other is at work at the same time
            counts[self.which] += 1

    found = offline([Meeting(0), Meeting(1)], [ITEM])
    assert sum(counts) == 8
    assert found["throughput"][0] > 0


def test_samples_of_rounds_are_joined_in_order():
    assert join([{"a": [1.0]}, {"b": [5.0]}, {"a": [2.0, 3.0]}]) == {"a": [1.0, 2.0, 3.0], "b": [5.0]}
