"""What the sliding windows say is what a look at every sample says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.account import Timing
from pipeline.live.window import LEAST_SPAN_S, MOST_TIMINGS, OVERDUE_NS, WINDOW_S, CountWindow, TimingWindow

S = 1_000_000_000
steps = st.lists(st.tuples(st.integers(1, 2 * S), st.integers(0, 50)), min_size=1, max_size=60)


@given(steps, st.integers(0, 10 * S))
def test_a_rate_is_the_rise_over_the_samples_of_the_window(given_steps: list[tuple[int, int]], later_ns: int) -> None:
    window = CountWindow()
    samples, at_ns, count = [], 0, 0
    for step_ns, more in given_steps:
        at_ns, count = at_ns + step_ns, count + more
        samples.append((at_ns, count))
        window.add(at_ns, {"n": count})
    now = at_ns + later_ns
    end_ns = max(at_ns, now - OVERDUE_NS)
    begin = max((s for s in samples if s[0] <= end_ns - WINDOW_S * S), default=samples[0])
    span_s = (end_ns - begin[0]) / S
    assert window.rise("n", now) == count - begin[1]
    assert window.span_s(now) == pytest.approx(span_s)
    expected = None if span_s < LEAST_SPAN_S else (count - begin[1]) / span_s
    assert window.per_s("n", now) == (None if expected is None else pytest.approx(expected))


def test_a_count_that_appears_later_rose_from_nothing() -> None:
    window = CountWindow()
    window.add(1 * S, {})
    window.add(2 * S, {"overflow": 3})
    assert window.rise("overflow", 2 * S) == 3
    assert window.rise("expired", 2 * S) == 0


def test_the_same_sample_twice_is_one() -> None:
    window = CountWindow()
    window.add(1 * S, {"n": 1})
    window.add(3 * S, {"n": 5})
    window.add(3 * S, {"n": 9})
    assert window.per_s("n", 3 * S) == 2


def test_a_rate_falls_to_nothing_where_nothing_is_heard_any_more() -> None:
    """A process that has ended sends no more beats."""
    window = CountWindow()
    window.add(0, {"n": 0})
    window.add(2 * S, {"n": 20})
    assert window.per_s("n", 2 * S) == 10
    assert window.per_s("n", 4 * S) == pytest.approx(20 / 3.5)
    assert window.per_s("n", 8 * S) == 0
    assert window.rise("n", 8 * S) == 0


def timing(compute_ns: int) -> Timing:
    return Timing(seq=0, queue=0, transport=0, compute=compute_ns, latency=0, path_compute=0)


def test_percentiles_are_of_the_last_seconds_alone() -> None:
    window = TimingWindow()
    window.add(0, timing(10**12))
    values_ns = [k * 1_000_000 for k in range(100)]
    for value in values_ns:
        window.add(4 * S, timing(value))
    recent = window.recent(6 * S)
    assert recent is not None
    nearest = np.percentile(values_ns, (50, 99), method="nearest") / 1e6
    assert (recent.compute_ms.p50, recent.compute_ms.p99) == pytest.approx(tuple(nearest))
    assert recent.latency_ms.p99 == 0
    assert window.recent(60 * S) is None


def test_memory_is_bounded_where_messages_are_many() -> None:
    window = TimingWindow()
    for k in range(2 * MOST_TIMINGS):
        window.add(0, timing(k * 1_000_000))
    recent = window.recent(0)
    assert recent is not None
    assert recent.compute_ms.p50 == pytest.approx(1.5 * MOST_TIMINGS, rel=0.01)
