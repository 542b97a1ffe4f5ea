"""Colours, dots and text."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viewing.style import UNLABELLED, blend, draw_dots, palette, put_text, range_colors, shorten, text_width


def reference_dots(canvas, u, v, colors, diameter_px):
    """One dot after the other, subpixel by subpixel, then the mean of 2 by 2 subpixels over the canvas."""
    H, W = canvas.shape[:2]
    side = max(round(2 * diameter_px), 1)
    layer, alpha = np.zeros((2 * H, 2 * W, 3)), np.zeros((2 * H, 2 * W, 1))
    for x, y, color in zip(u, v, colors, strict=True):
        if not (-0.5 <= x < W - 0.5 and -0.5 <= y < H - 0.5):
            continue
        left, top = np.floor(2 * x + 1.5 - side / 2), np.floor(2 * y + 1.5 - side / 2)
        for dy in range(side):
            for dx in range(side):
                row, column = int(top + dy), int(left + dx)
                in_disc = (dy - (side - 1) / 2) ** 2 + (dx - (side - 1) / 2) ** 2 <= (side / 2) ** 2
                if in_disc and 0 <= row < 2 * H and 0 <= column < 2 * W:
                    layer[row, column], alpha[row, column] = color, 1
    mean = layer.reshape(H, 2, W, 2, 3).mean((1, 3))
    opacity = alpha.reshape(H, 2, W, 2, 1).mean((1, 3))
    return canvas * (1 - opacity) + mean


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 12),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    diameter=st.sampled_from([0.5, 1.0, 2.0, 2.5]),
)
def test_dots_agree_with_drawing_them_one_by_one(seed, count, size, diameter):
    rng = np.random.default_rng(seed)
    canvas = rng.integers(0, 256, (*size, 3), np.uint8)
    u, v = rng.uniform(-2, 14, (2, count))
    colors = rng.integers(0, 256, (count, 3), np.uint8)
    expected = reference_dots(canvas, u, v, colors, diameter)
    drawn = canvas.copy()
    draw_dots(drawn, u, v, colors, diameter_px=diameter, groups=max(count, 1))
    np.testing.assert_allclose(drawn.astype(float), expected, atol=2)


def test_a_dot_of_one_pixel_at_a_pixel_fills_it_and_nothing_else():
    canvas = np.zeros((5, 5, 3), np.uint8)
    draw_dots(canvas, np.array([3.0]), np.array([1.0]), np.uint8([[10, 20, 30]]), diameter_px=1)
    assert canvas[1, 3].tolist() == [10, 20, 30]
    assert np.count_nonzero(canvas.any(axis=2)) == 1


def test_blend_of_nothing_changes_nothing():
    canvas = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    before = canvas.copy()
    blend(canvas, np.zeros((4, 4, 4), np.uint8))
    np.testing.assert_array_equal(canvas, before)


def test_palette_is_bgr_and_can_be_seen_on_dark():
    colors = palette(((0, 0, 0), (100, 150, 245), (75, 0, 75)))
    assert tuple(colors[0]) == UNLABELLED
    assert colors[1].tolist() == [245, 150, 100]
    assert colors[2].tolist() == [120, 0, 120]
    assert palette(()).shape == (0, 3)


def test_near_is_brighter_than_far_and_odd_ranges_have_a_colour():
    gray = cv2.cvtColor(range_colors(np.float32([[1, 5, 20, 70, 200]])), cv2.COLOR_BGR2GRAY)[0].astype(int)
    assert (np.diff(gray) <= 0).all()
    assert gray[0] - gray[-1] > 100
    np.testing.assert_array_equal(range_colors(np.float32([np.nan, np.inf])), range_colors(np.float32([200, 200])))


@pytest.mark.parametrize("height", [9, 15, 24])
def test_text_is_as_wide_as_is_said_and_stays_above_its_baseline(height):
    canvas = np.zeros((60, 600, 3), np.uint8)
    end = put_text(canvas, "124668 m", (10, 40), height, (255, 255, 255))
    rows, columns = np.nonzero(canvas.max(axis=2) > 60)
    assert end == 10 + text_width("124668 m", height)
    assert columns.min() >= 9
    assert end - height <= columns.max() <= end + 1
    assert rows.max() <= 41
    assert 0.7 * height <= 40 - rows.min() <= 1.3 * height


def test_shorten_keeps_what_fits():
    text = "semantics: did not come in time"
    assert shorten(text, 12, 1000) == text
    cut = shorten(text, 12, 120)
    assert cut.endswith("...")
    assert text.startswith(cut[:-3])
    assert text_width(cut, 12) <= 120
    assert shorten(text, 12, 2) == ""
