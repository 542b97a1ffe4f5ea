"""Score fusion, Soft-NMS and NMS against loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bcgnn.nms import nms, soft_nms
from models.bcgnn.proposals import fuse
from models.bcgnn.segments import location_times
from tests.models.bcgnn.test_labels import overlap


@pytest.mark.parametrize("max_duration", [None, 3])
def test_fusion_is_the_product_of_three(max_duration):
    rng = np.random.default_rng(0)
    start, end, content = rng.random(9, np.float32), rng.random(9, np.float32), rng.random((9, 9), np.float32)
    times_s = location_times(9, step_s=0.4, first_s=2.0)
    longest = 8 if max_duration is None else max_duration
    content = np.triu(content, 1) - np.triu(content, longest + 1)
    found = fuse(start, end, content, times_s)
    expected = sorted(
        (
            (-float(start[i]) * float(end[j]) * float(content[i, j]), 2 + 0.4 * (i + 0.5), 2 + 0.4 * (j + 0.5))
            for i in range(9)
            for j in range(i + 1, 9)
            if j - i <= longest
        ),
    )
    np.testing.assert_allclose(found.scores, [-score for score, _, _ in expected], rtol=1e-12)
    np.testing.assert_allclose(found.segments_s, [segment for _, *segment in expected], rtol=1e-12)


def test_equal_scores_keep_the_order_of_time():
    found = fuse(np.ones(3), np.ones(3), np.triu(np.ones((3, 3)), 1), np.arange(3.0))
    assert found.segments_s.tolist() == [[0, 1], [0, 2], [1, 2]]


def slow_soft_nms(proposals, sigma, most):
    left, kept = [list(proposal) for proposal in proposals], []
    while left and len(kept) < most:
        best = max(left, key=lambda proposal: proposal[1])  # the first of equal ones
        left.remove(best)
        kept.append(best)
        for proposal in left:
            proposal[1] *= math.exp(-(overlap(best[0], proposal[0]) ** 2) / sigma)
    return kept


def slow_nms(proposals, threshold, most):
    left, kept = sorted(proposals, key=lambda proposal: -proposal[1]), []
    while left and len(kept) < most:
        kept.append(left.pop(0))
        left = [proposal for proposal in left if overlap(kept[-1][0], proposal[0]) <= threshold]
    return kept


grid = st.integers(0, 40).map(lambda n: n / 4)
proposals = st.lists(
    st.tuples(st.tuples(grid, grid).map(sorted), st.floats(0, 1, width=32)),
    max_size=30,
    unique_by=(lambda p: tuple(p[0]), lambda p: p[1]),
)


@given(proposals, st.sampled_from([0.05, 0.4, 2.0]), st.sampled_from([1, 5, 100]))
def test_soft_nms_equals_the_loop(given_proposals, sigma, most):
    segments_s = np.array([segment for segment, _ in given_proposals]).reshape(-1, 2)
    found = soft_nms(segments_s, np.array([score for _, score in given_proposals]), sigma=sigma, most=most)
    expected = slow_soft_nms(given_proposals, sigma, most)
    np.testing.assert_allclose(found.scores, [score for _, score in expected], rtol=1e-9, atol=1e-300)
    assert (np.diff(found.scores) <= 0).all()
    # Scores that are the same but for rounding may come in either order.
    if len({round(score, 12) for _, score in expected}) == len(expected):
        assert found.segments_s.tolist() == [segment for segment, _ in expected]


@given(proposals, st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([1, 5, 100]))
def test_nms_equals_the_loop(given_proposals, threshold, most):
    segments_s = np.array([segment for segment, _ in given_proposals]).reshape(-1, 2)
    found = nms(segments_s, np.array([score for _, score in given_proposals]), threshold=threshold, most=most)
    expected = slow_nms(given_proposals, threshold, most)
    assert found.segments_s.tolist() == [segment for segment, _ in expected]
    assert found.scores.tolist() == [score for _, score in expected]


def test_soft_nms_by_hand():
    """The second overlaps the first by 0.5 and falls behind the third, which overlaps neither."""
    found = soft_nms(np.array([[0.0, 2], [0, 1], [5, 6]]), np.array([0.9, 0.8, 0.5]), sigma=0.4, most=3)
    assert found.segments_s.tolist() == [[0, 2], [5, 6], [0, 1]]
    np.testing.assert_allclose(found.scores, [0.9, 0.5, 0.8 * math.exp(-0.25 / 0.4)])


@pytest.mark.parametrize(
    ("suppress", "what"),
    [
        (lambda s, p: soft_nms(s, p, sigma=0.0, most=1), "sigma=0.0: must be above 0"),
        (lambda s, p: soft_nms(s, p, sigma=0.4, most=0), "most=0: must be 1 or more"),
        (lambda s, p: nms(s, p, threshold=1.5, most=1), "threshold=1.5: must be from 0 to 1"),
        (lambda s, p: nms(s[:, :1], p, threshold=0.5, most=1), r"shape \(2, 1\), not \(2, 2\)"),
    ],
)
def test_arguments_that_make_no_sense(suppress, what):
    with pytest.raises(ValueError, match=what):
        suppress(np.zeros((2, 2)), np.zeros(2))
