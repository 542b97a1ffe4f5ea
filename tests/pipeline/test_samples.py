"""What the account remembers is exact for numbers and fair for timings, however long the run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.account import Timing
from pipeline.samples import LatencyCounts, SeqSet, TimingSample


@given(st.lists(st.integers(0, 60)), st.integers(0, 70))
def test_a_seq_set_is_a_set(seqs: list[int], end: int) -> None:
    kept = SeqSet()
    for seq in seqs:
        kept.add(seq)
    plain = set(seqs)
    assert len(kept) == len(plain)
    assert kept.last == max(plain, default=-1)
    assert kept.gaps(end) == (sorted(set(range(min(plain), end + 1)) - plain) if plain else [])


def test_a_long_run_is_kept_as_ranges() -> None:
    kept = SeqSet()
    for seq in range(100_000):
        kept.add(seq)
    assert len(kept._ranges) == 1


def test_few_timings_are_kept_exactly() -> None:
    sample = TimingSample(capacity=10)
    for seq in range(7):
        sample.add(Timing(seq, 1, 2, seq * 10, 4, 5))
    assert sample.columns()["compute"].tolist() == [0, 10, 20, 30, 40, 50, 60]


def test_many_timings_are_sampled_fairly() -> None:
    sample = TimingSample(capacity=2000)
    for seq in range(20_000):
        sample.add(Timing(seq, 0, 0, seq, 0, 0))
    kept = sample.columns()["compute"]
    assert len(kept) == 2000
    assert abs(np.median(kept) - 10_000) < 600


@given(st.lists(st.integers(0, 20_000_000_000)))
def test_latencies_are_counted_between_their_bounds(latencies_ns: list[int]) -> None:
    counts = LatencyCounts()
    for latency_ns in latencies_ns:
        counts.add(latency_ns)
    histogram = counts.histogram()
    below = 0
    for upper_s, count in zip(histogram.upper_s, histogram.counts, strict=False):
        below += count
        assert below == sum(1 for latency_ns in latencies_ns if latency_ns <= upper_s * 1e9)
    assert sum(histogram.counts) == len(latencies_ns)
    assert histogram.sum_s == pytest.approx(sum(latencies_ns) / 1e9)
