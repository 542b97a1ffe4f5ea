"""The order in which versions take turns, and what is kept of their times."""

from profiling.interleaved import Times, interleave


def test_versions_take_turns_and_the_first_round_does_not_count():
    calls = []
    versions = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    times = interleave(versions, rounds=2, after=lambda: calls.append("."))
    assert "".join(calls) == "a.b." * 3
    assert list(times) == ["a", "b"]
    assert all(len(t.ms) == 2 for t in times.values())


def test_median_and_spread():
    times = Times((3.0, 1.0, 8.0))
    assert times.median_ms == 3.0
    assert times.spread_ms == (1.0, 8.0)
