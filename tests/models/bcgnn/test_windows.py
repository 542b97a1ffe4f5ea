"""Windows of a video: rescaled to one, or sliding."""

import numpy as np
import pytest

from models.bcgnn.windows import rescaled, sliding


def test_rescaling_keeps_what_is_linear_and_what_fits():
    features = np.arange(20, dtype=np.float32)[None] * [[1.0], [-2.0]]
    np.testing.assert_array_equal(rescaled(features, 20), features.astype(np.float32))
    # The middle of location i of ten is at snippet 2 i + ½ of twenty.
    np.testing.assert_allclose(rescaled(features, 10)[0], 2 * np.arange(10) + 0.5, rtol=1e-6)
    assert rescaled(features[:, :1], 4).tolist() == [[0] * 4, [0] * 4]


@pytest.mark.parametrize("snippets", [1, 7, 8, 9, 12, 13, 40])
def test_sliding_windows_cover_every_snippet(snippets):
    features = np.random.default_rng(0).random((3, snippets), np.float32) + 1
    first, windows = sliding(features, 8)
    assert (np.diff(first) == 4).all()
    assert windows.shape == (len(first), 3, 8)
    seen = np.zeros(snippets, int)
    for begin, window in zip(first, windows, strict=True):
        inside = min(8, snippets - begin)
        np.testing.assert_array_equal(window[:, :inside], features[:, begin : begin + inside])
        assert not window[:, inside:].any()
        seen[begin : begin + inside] += 1
    assert (seen > 0).all()
    assert first[-1] + 8 - 4 < max(snippets, 5)  # the one before does not cover all
