"""What is sent is new each time, and what arrives is read to its last byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiling.transport import payload


@given(st.integers(1, 40), st.integers(0, 2**40))
def test_the_number_of_a_payload_is_read_from_it(words: int, number: int) -> None:
    assert payload.read_all(payload.fresh(8 * words, number)) == number


@given(st.integers(0, 799), st.integers(1, 255))
def test_one_wrong_byte_is_noticed(at: int, difference: int) -> None:
    damaged = payload.fresh(800, 5)
    damaged[at] ^= difference
    with pytest.raises(payload.DamagedPayloadError):
        payload.read_all(damaged)


def test_each_payload_is_its_own_memory() -> None:
    first, second = payload.fresh(800, 1), payload.fresh(800, 1)
    assert not np.shares_memory(first, second)
