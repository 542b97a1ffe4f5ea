"""Fingerprints: the same values have the same one, others do not, and the first layer that differs is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.layers import Fingerprint, Layers, chunks, distance, fingerprint, first_difference


def slow_sums(values: np.ndarray) -> list[float]:
    """The same sums, number by number, with Python's own integers."""
    period, projections, mask = 65_521, 4, 2**64 - 1
    sums = [0.0] * projections
    for i, value in enumerate(values.reshape(-1)):
        for k in range(projections):
            h = (i % period) * projections + k + 1
            h = ((h ^ (h >> 16)) * 0x45D9F3B37197344D) & mask
            h = ((h ^ (h >> 32)) * 0x45D9F3B37197344D) & mask
            sums[k] += float(value) if h >> 63 else -float(value)
    return [each / np.sqrt(values.size) for each in sums]


@pytest.mark.parametrize("shape", [(1,), (3, 7), (1, 4, 16, 20)])
def test_sums_are_those_of_the_definition(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = fingerprint("x", "", values)
    np.testing.assert_allclose(found.sums, slow_sums(values), rtol=1e-6, atol=1e-6)
    assert found.rms == pytest.approx(np.sqrt((values.astype(np.float64) ** 2).mean()))
    assert found.size == values.size


def test_an_array_longer_than_the_pattern():
    values = np.random.default_rng(0).normal(size=65_521 + 100).astype(np.float32)
    np.testing.assert_allclose(fingerprint("x", "", values).sums, slow_sums(values), rtol=1e-5, atol=1e-6)


def test_an_empty_array_has_one_too():
    assert fingerprint("x", "", np.zeros((0, 3), np.float32)).sums == (0, 0, 0, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-5, 0.3), st.floats(1e-3, 1e3))
def test_the_distance_is_about_the_relative_error(seed, error, scale):
    rng = np.random.default_rng(seed)
    values = scale * rng.normal(size=4000)
    wrong = values * (1 + error * rng.normal(size=4000))
    found = distance(fingerprint("x", "", wrong.astype(np.float32)), fingerprint("x", "", values.astype(np.float32)))
    assert 0.05 * error < found < 6 * error


def test_values_that_changed_places_are_other_values():
    values = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    assert distance(fingerprint("x", "", values[:, ::-1]), fingerprint("x", "", values)) > 0.1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_far(value):
    values = np.ones(10, np.float32)
    assert distance(
        fingerprint("x", "", np.where(np.arange(10) == 3, value, values)), fingerprint("x", "", values)
    ) == (float("inf"))


def test_the_first_layer_that_differs():
    rng = np.random.default_rng(0)
    layers = [(name, rng.normal(size=100).astype(np.float32)) for name in ("a", "b", "c", "d")]
    expected = [fingerprint(name, f"module.{name}", values) for name, values in layers]
    assert first_difference(layers, expected, 1e-6) is None
    wrong = [(name, values * (1.5 if name in "cd" else 1)) for name, values in layers]
    difference = first_difference(wrong, expected, 0.01)
    assert str(difference) == "c (module.c)"
    assert 0.45 < difference.relative < 2  # of the sum that differs most


def test_layers_are_written_and_read(tmp_path):
    layers = Layers((fingerprint("a", "m", np.ones(3, np.float32)),), {"w": "00ff"})
    layers.write(tmp_path)
    assert Layers.read(tmp_path) == layers


def test_chunks_hold_so_many_values_and_lose_no_layer():
    layers = [Fingerprint(str(i), "", size, 0.0, ()) for i, size in enumerate((5, 5, 20, 1, 1, 1))]
    assert list(chunks(layers, 10)) == [["0", "1"], ["2"], ["3", "4", "5"]]
    assert list(chunks([], 10)) == []
