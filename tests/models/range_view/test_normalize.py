"""Normalisation, on numbers that can be checked by hand."""

import numpy as np
import pytest

from models.range_view.normalize import HDL64_MEANS, HDL64_STDS, normalize


def test_the_mean_becomes_0_and_one_std_more_becomes_1():
    image = np.empty((5, 1, 2), np.float32)
    image[:, 0, 0] = HDL64_MEANS
    image[:, 0, 1] = np.add(HDL64_MEANS, HDL64_STDS)
    np.testing.assert_allclose(normalize(image)[:, 0], [[0, 1]] * 5, atol=1e-5)


def test_empty_pixels_are_0():
    image = np.full((5, 2, 2), -1, np.float32)
    image[:, 0, 0] = 7
    normalized = normalize(image)
    assert normalized.dtype == np.float32
    assert (normalized[:, 0, 0] != 0).all()
    assert (normalized.reshape(5, 4)[:, 1:] == 0).all()
    assert (image.reshape(5, 4)[:, 1:] == -1).all()


def test_one_mean_and_one_std_per_channel():
    with pytest.raises(ValueError, match="per channel"):
        normalize(np.zeros((5, 1, 1), np.float32), means=(0, 0, 0))
