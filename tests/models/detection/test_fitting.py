"""Fitting a picture to an input: exactly invertible, and the picture is where it is said to be."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.fitting import Fit, fit

modes = st.sampled_from(get_args(Fit))
sizes = st.integers(1, 90)
fractions = st.floats(0, 1, width=32)


@settings(max_examples=150, deadline=None)
@given(modes, sizes, sizes, sizes, sizes, st.tuples(fractions, fractions, fractions, fractions))
def test_a_box_goes_to_the_input_and_back(
    mode: Fit, height: int, width: int, image_height: int, image_width: int, corners: tuple[float, ...]
) -> None:
    box = np.sort(np.reshape(corners, (2, 2)), axis=0).reshape(1, 4) * ([image_width, image_height] * 2)
    fitted, placed = fit(np.zeros((image_height, image_width, 3), np.uint8), height, width, mode, 114)
    there = placed.to_input(box)
    assert fitted.shape == (height, width, 3)
    assert np.abs(placed.to_image(there) - box).max() < 1e-3
    assert (there >= 0).all()
    assert (there <= np.array([width, height] * 2) + 1e-3).all()


@settings(max_examples=60, deadline=None)
@given(modes, sizes, sizes, sizes, sizes)
def test_the_picture_fills_what_is_said_and_the_rest_is_padding(
    mode: Fit, height: int, width: int, image_height: int, image_width: int
) -> None:
    fitted, placed = fit(np.full((image_height, image_width, 3), 255, np.uint8), height, width, mode, 7)
    x1, y1, x2, y2 = placed.to_input(np.array([[0, 0, image_width, image_height]]))[0].round().astype(int)
    assert (fitted[y1:y2, x1:x2] == 255).all()
    assert (fitted == 255).sum() == (y2 - y1) * (x2 - x1) * 3
    assert np.isin(fitted, (7, 255)).all()
    assert x2 - x1 == width or y2 - y1 == height
    if mode == "letterbox":
        assert abs((width - x2) - x1) <= 1
        assert abs((height - y2) - y1) <= 1
    else:
        assert (x1, y1) == (0, 0)


@pytest.mark.parametrize("mode", get_args(Fit))
@pytest.mark.parametrize("size", [(375, 1242), (480, 200), (96, 96)])
def test_a_rectangle_is_found_again(mode: Fit, size: tuple[int, int]) -> None:
    """A white rectangle's edges, measured in the input at half its brightness, are where its box comes to lie."""
    image = np.zeros((*size, 3), np.uint8)
    box = np.array([size[1] // 4, size[0] // 3, size[1] // 2, size[0] // 3 * 2])
    image[box[1] : box[3], box[0] : box[2]] = 255
    fitted, placed = fit(image, 192, 640, mode, 0)
    bright = fitted[..., 0] >= 128
    row, column = bright.any(axis=0), bright.any(axis=1)
    found = [row.argmax(), column.argmax(), len(row) - row[::-1].argmax(), len(column) - column[::-1].argmax()]
    assert np.abs(placed.to_input(box[None])[0] - found).max() <= 1
    assert np.abs(placed.to_image(np.array([found]))[0] - box).max() <= 1 / min(placed.scale_x, placed.scale_y)


def test_what_lies_outside_the_picture_is_clipped_to_it() -> None:
    _, placed = fit(np.zeros((50, 100, 3), np.uint8), 64, 64, "letterbox", 0)
    assert placed.to_image(np.array([[-9, 0, 99, 64]])).tolist() == [[0, 0, 100, 50]]
    assert placed.to_image(np.empty((0, 4))).shape == (0, 4)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="letterbox-corner"):
        fit(np.zeros((4, 4, 3), np.uint8), 8, 8, "squash", 0)  # type: ignore[arg-type]
