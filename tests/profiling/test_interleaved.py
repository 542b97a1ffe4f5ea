"""The order in which versions take turns, and what is kept of their times."""

from profiling.interleaved import Times, interleave


def test_versions_take_turns_and_the_first_round_does_not_count():
    calls = []

    def version(name):
        return lambda given: calls.append(name + given) or name.upper() + given

    times = interleave({name: version(name) for name in "ab"}, "123", lambda *finished: calls.append(finished))
    expected = []
    for i, given in enumerate("123"):
        for name in "ab":
            expected += [name + given, (name, i, name.upper() + given)]
    assert calls == expected
    assert list(times) == ["a", "b"]
    assert all(len(t.ms) == 2 for t in times.values())


def test_median_and_spread():
    times = Times((3.0, 1.0, 8.0))
    assert times.median_ms == 3.0
    assert times.spread_ms == (1.0, 8.0)
