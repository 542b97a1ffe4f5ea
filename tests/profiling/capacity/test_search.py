"""The search against machines whose capacity is known, quiet and noisy."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiling.capacity.search import MOST_HALVINGS, RESOLUTION, Probe, search

BOUND_MS = 100.0


def machine(capacity_hz: float, probed: list[float] | None = None) -> Callable[[float], Probe]:
    """Drops from twice its capacity up, is too late from its capacity up."""

    def probe(rate_hz: float) -> Probe:
        if probed is not None:
            probed.append(rate_hz)
        late = rate_hz > capacity_hz
        return Probe(rate_hz, 50.0, 150.0 if late else 80.0, 100, 7 if rate_hz > 2 * capacity_hz else 0, 0, [])

    return probe


@given(st.floats(0.4, 5000.0))
def test_a_quiet_machines_capacity_is_found_to_the_resolution(capacity_hz: float) -> None:
    result = search(machine(capacity_hz), 10.0, BOUND_MS)
    assert result.rate_hz is not None
    assert capacity_hz / RESOLUTION <= result.rate_hz <= capacity_hz
    assert len(result.confirmed) == 2
    assert all(run.rate_hz == result.rate_hz and run.holds(BOUND_MS) for run in result.confirmed)


def test_the_answer_has_held_twice_in_runs_of_its_own() -> None:
    probed: list[float] = []
    result = search(machine(13.0, probed), 10.0, BOUND_MS)
    assert probed == [probe.rate_hz for probe in result.probes]
    assert probed.count(result.rate_hz) == 2
    assert probed[-1] == result.rate_hz


def test_a_rate_that_held_once_by_luck_is_not_the_answer() -> None:
    lucky = iter([True])

    def probe(rate_hz: float) -> Probe:
        good = rate_hz <= 8.0 or (rate_hz == 10.0 and next(lucky, False))
        return Probe(rate_hz, 50.0, 80.0 if good else 150.0, 100, 0, 0, [])

    result = search(probe, 10.0, BOUND_MS)
    assert result.rate_hz is not None
    assert result.rate_hz <= 8.0
    assert len([run for run in result.probes if run.rate_hz == 10.0]) == 2


@pytest.mark.parametrize("seed", range(20))
def test_on_a_noisy_machine_it_ends_and_what_it_says_has_held(seed: int) -> None:
    noise = random.Random(seed)

    def probe(rate_hz: float) -> Probe:
        good = noise.random() < (0.9 if rate_hz < 20 else 0.2)
        return Probe(rate_hz, 50.0, 80.0 if good else 150.0, 100, 0, 0, [])

    result = search(probe, 10.0, BOUND_MS)
    assert len(result.probes) < 80
    assert result.rate_hz is None or len(result.confirmed) >= 2


def test_where_no_rate_holds_none_is_said_and_the_probes_are_there() -> None:
    result = search(machine(0.001), 10.0, BOUND_MS)
    assert result.rate_hz is None
    assert [probe.rate_hz for probe in result.probes] == [10.0 / 2**k for k in range(MOST_HALVINGS + 1)]


@pytest.mark.parametrize(
    ("probe", "holds"),
    [
        (Probe(1.0, 5.0, 100.0, 30, 0, 0, []), True),
        (Probe(1.0, 5.0, 100.1, 30, 0, 0, []), False),
        (Probe(1.0, 5.0, 50.0, 30, 1, 0, []), False),
        (Probe(1.0, 5.0, 50.0, 30, 0, 1, []), False),
        (Probe(1.0, 0.0, 0.0, 0, 0, 0, []), False),
    ],
)
def test_a_run_holds_without_a_drop_and_in_time(probe: Probe, holds: bool) -> None:
    assert probe.holds(BOUND_MS) is holds
