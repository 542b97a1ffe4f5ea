"""Batches come in order, are made ahead, and a failure comes out where it belongs."""

import threading

import pytest

from training.reading import ahead


@pytest.mark.parametrize("readers", [1, 3])
def test_in_order_and_ahead(readers):
    made, ready = [], threading.Event()

    def make(step):
        made.append(step)
        if len(made) > readers:
            ready.set()
        return step * step

    batches = ahead(make, range(2, 9), readers)
    assert next(batches) == 4
    assert ready.wait(10)  # the next ones are made while the first is worked on
    assert list(batches) == [step * step for step in range(3, 9)]
    assert sorted(made) == list(range(2, 9))


def test_no_steps():
    assert list(ahead(lambda step: step, range(5, 5), 2)) == []


def test_a_failure_comes_at_its_step():
    def make(step):
        if step == 3:
            raise ValueError("torn")
        return step

    got = []
    with pytest.raises(ValueError, match="torn"):
        got.extend(iter_into(got, ahead(make, range(6), 2)))
    assert got == [0, 1, 2]


def iter_into(got, batches):
    for batch in batches:
        got.append(batch)
    return ()
