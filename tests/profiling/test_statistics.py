"""How far two sets of measurements are apart: the interval keeps what it promises, and is not wider than it need be."""

import numpy as np
import pytest

from profiling.statistics import change, student_t
from tests.support.noisy_machine import repetitions


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [
        (0.95, 1, 12.7062),
        (0.95, 2, 4.3027),
        (0.99, 5, 4.0321),
        (0.95, 8, 2.3060),
        (0.99, 14, 2.9768),
        (0.9, 30, 1.6973),
    ],
)
def test_student_t_is_that_of_the_tables(confidence, degrees, expected):
    assert student_t(confidence, degrees) == pytest.approx(expected, abs=1e-4)


def test_student_t_of_many_degrees_is_that_of_many_draws():
    draws = np.abs(np.random.default_rng(0).standard_t(11, 400_000))
    assert np.mean(draws < student_t(0.98, 11)) == pytest.approx(0.98, abs=1e-3)


def test_the_ratio_is_that_of_the_medians_and_the_interval_is_around_it():
    before, after = [[1.0, 2.0, 9.0], [2.0, 2.0]], [[3.0, 3.0, 1.0], [3.0, 8.0]]
    found = change(before, after, 0.95)
    assert found.ratio == pytest.approx(1.5)
    assert found.low < found.ratio < found.high
    assert found.low * found.high == pytest.approx(found.ratio**2)
    assert change(before, after, 0.95) == found
    assert change(before, after, 0.99).low < found.low


def test_what_never_varies_has_an_interval_without_width():
    assert change([[2.0, 2.0], [2.0]], [[3.0], [3.0]], 0.95) == pytest.approx((1.5, 1.5, 1.5))


def test_nothing_that_stays_nothing_has_not_changed():
    assert change([[0.0, 0.0], [0.0]], [[0.0], [0.0, 0.0]], 0.95).ratio == 1.0


def test_repetitions_that_differ_widen_it_however_many_samples_they_have():
    rng = np.random.default_rng(1)
    before, after = ([[level] * 500 for level in 1 + 0.05 * rng.standard_normal(6)] for _ in range(2))
    found = change(before, after, 0.95)
    assert found.high / found.low > 1.08


def test_the_interval_holds_the_true_change_as_often_as_it_says():
    rng = np.random.default_rng(2)
    tries, held = 120, 0
    for i in range(tries):
        found = change(repetitions(rng, 10.0), repetitions(rng, 11.0), 0.9, seed=i)
        held += found.low <= 1.1 <= found.high
    assert held / tries >= 0.85  # 0.9 less two standard errors
