"""Labels against Sec. 3.4 in loops, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bcgnn.labels import assign
from models.bcgnn.segments import location_times, temporal_iou


def overlap(a, b):
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def slow_labels(actions, times, max_duration, least_margin):
    def in_region(t, which):
        return any(abs(t - action[which]) <= max((action[1] - action[0]) / 10, least_margin) for action in actions)

    length = len(times)
    start = [in_region(t, 0) for t in times]
    end = [in_region(t, 1) for t in times]
    content = np.zeros((length, length), bool)
    for i in range(length):
        for j in range(i + 1, length):
            content[i, j] = (
                j - i <= max_duration
                and start[i]
                and end[j]
                and any(overlap((times[i], times[j]), action) > 0.5 for action in actions)
            )
    return start, end, content


seconds = st.floats(-3, 30, allow_nan=False).map(lambda s: round(s, 3))


@given(
    st.lists(st.tuples(seconds, seconds).map(sorted), max_size=4),
    st.integers(1, 12),
    st.sampled_from([3, 8, 99]),
    st.sampled_from([0.0, 0.9]),
)
def test_labels_equal_the_definition(actions, length, max_duration, least_margin_s):
    times_s = location_times(length, step_s=1.8, first_s=0.5)
    found = assign(np.array(actions), times_s, max_duration=max_duration, least_margin_s=least_margin_s)
    start, end, content = slow_labels(actions, times_s, max_duration, least_margin_s)
    np.testing.assert_array_equal(found.start, start)
    np.testing.assert_array_equal(found.end, end)
    np.testing.assert_array_equal(found.content, content)


def test_one_action_by_hand():
    """20 s of 1 s snippets, an action from 4.5 s to 14.5 s: a second on either side of its start, and of its end."""
    labels = assign(np.array([[4.5, 14.5]]), location_times(20, step_s=1.0))
    assert np.flatnonzero(labels.start).tolist() == [3, 4, 5]
    assert np.flatnonzero(labels.end).tolist() == [13, 14, 15]
    assert np.argwhere(labels.content).tolist() == [[i, j] for i in (3, 4, 5) for j in (13, 14, 15)]


def test_a_short_action_between_two_locations_needs_a_margin():
    actions_s, times_s = np.array([[3.1, 4.2]]), location_times(10, step_s=1.0)
    assert not assign(actions_s, times_s).start.any()
    labels = assign(actions_s, times_s, least_margin_s=0.5)
    assert np.flatnonzero(labels.start).tolist() == [3]
    assert labels.content[3, 4]


def test_no_actions_and_an_action_that_ends_before_it_starts():
    empty = assign(np.empty((0, 2)), location_times(5, step_s=1.0))
    assert not (empty.start.any())
    assert not (empty.end.any())
    assert not (empty.content.any())
    with pytest.raises(ValueError, match=r"ends before it starts: \[3.0, 2.0\]"):
        assign(np.array([[1.0, 2.0], [3.0, 2.0]]), location_times(5, step_s=1.0))


@given(st.lists(st.tuples(seconds, seconds).map(sorted), min_size=1, max_size=5))
def test_temporal_iou(segments):
    found = temporal_iou(np.array(segments), np.array(segments[::-1]))
    expected = [[overlap(a, b) for b in segments[::-1]] for a in segments]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
