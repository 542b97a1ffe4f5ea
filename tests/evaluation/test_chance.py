"""What is found by chance, against a count by hand and a plain simulation."""

import numpy as np
import pytest

from errors import UserError
from evaluation.proposals.chance import DRAWS, by_chance
from evaluation.proposals.protocol import Protocol

ONE = Protocol(np.array([0.5]), 1, (1,))


def test_one_segment_of_the_right_length_in_a_long_video():
    """Of length 10 in 0..100, evenly likely: its tIoU with [40, 50] is 0.5 or more within 10/3 either side, of 90."""
    truths, durations_s = ({f"v{i}": value for i in range(400)} for value in (np.array([[40.0, 50.0]]), 100.0))
    proposals = {name: np.array([[0.0, 10.0]]) for name in truths}
    found = by_chance(truths, proposals, durations_s, ONE)
    expected = 20 / 3 / 90
    assert found.recall[1] == pytest.approx(expected, abs=4 * np.sqrt(expected / (400 * DRAWS)))
    assert found.recall_std[1] == pytest.approx(np.sqrt(expected * (1 - expected) / 400), rel=0.6)
    assert found == by_chance(truths, proposals, durations_s, ONE)


def test_lengths_stay_and_places_do_not():
    """As long as the video: there is one place alone, and chance finds what the proposals find."""
    truths, proposals = {"a": np.array([[0.0, 8.0]])}, {"a": np.array([[0.0, 8.0]])}
    assert by_chance(truths, proposals, {"a": 8.0}, ONE).recall == {1: 1.0}
    assert by_chance(truths, proposals, {"a": 8000.0}, ONE).recall[1] < 0.2


def test_videos_of_unknown_length():
    with pytest.raises(UserError, match="--chance: the annotations do not say how long video 'a' is"):
        by_chance({"a": np.array([[0.0, 8.0]])}, {"a": np.array([[0.0, 8.0]])}, {"a": None}, ONE)
