"""Sliding windows and their ranks, against loops."""

import numpy as np
import pytest

from models.sliding_window.windows import propose, windows


def test_windows_by_hand():
    assert windows(10, (4, 8, 20), 0.5).tolist() == [[0, 4], [2, 6], [4, 8], [0, 8]]
    assert windows(3, (9,), 0.5).shape == (0, 2)
    with pytest.raises(ValueError, match=r"overlap=1\.0"):
        windows(10, (4,), 1.0)


def test_scores_are_contrasts():
    rng = np.random.default_rng(0)
    actionness, times_s = rng.random(30), np.arange(30) * 0.5 + 0.25
    candidates = windows(30, (1, 3, 8, 20), 0.75)
    found = propose(actionness, times_s, candidates)
    expected = []
    for first, last in candidates:
        margin = max(round((last - first) / 2), 1)
        inside = [actionness[t] for t in range(first, last + 1)]
        around = [
            actionness[t] for t in (*range(first - margin, first), *range(last + 1, last + margin + 1)) if 0 <= t < 30
        ]
        outside = np.mean(around) if around else 0.0
        expected.append(((1 + np.mean(inside) - outside) / 2, times_s[first], times_s[last]))
    expected.sort(key=lambda proposal: -proposal[0])
    np.testing.assert_allclose(found.scores, [score for score, _, _ in expected], rtol=1e-9)
    np.testing.assert_allclose(found.segments_s, [segment for _, *segment in expected])


def test_the_window_on_the_action_is_first():
    actionness = np.zeros(40)
    actionness[10:19] = 1
    found = propose(actionness, np.arange(40.0), windows(40, (4, 8, 16), 0.75))
    assert found.segments_s[0].tolist() == [10, 18]


def test_actionness_is_one_number_a_location():
    torch = pytest.importorskip("torch")
    from models.sliding_window.network import Actionness

    assert Actionness(5, base_dim=4)(torch.zeros(2, 5, 9)).shape == (2, 9)
