"""Camera, range image and bird's-eye view: what is drawn where."""

import numpy as np

from viewing.birds_eye import Footprint, birds_eye
from viewing.camera_view import Box, camera_view
from viewing.range_view import label_picture, range_picture, strip
from viewing.style import PANEL

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)


def centre_of(picture, color):
    """Mean (u, v) of the pixels that have mostly this colour."""
    near = np.abs(picture.astype(int) - color).sum(axis=2) < 120
    v, u = np.nonzero(near)
    assert len(u), "colour is not in the picture"
    return u.mean(), v.mean()


def test_a_point_lies_where_its_object_is_in_the_scaled_image():
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 140:160] = 255
    view = camera_view(
        image, 800, 400, pixels=np.float32([[149.5, 49.5]]), range_m=np.float32([5]), colors=np.uint8([GREEN])
    )
    u, v = centre_of(view, GREEN)
    white_v, white_u = np.nonzero(view.min(axis=2) > 100)
    assert abs(u - white_u.mean()) < 1.5
    assert abs(v - white_v.mean()) < 1.5


def test_near_points_cover_far_ones_and_points_out_of_view_are_not_drawn():
    image = np.zeros((50, 50, 3), np.uint8)
    pixels = np.float32([[25, 25], [25, 25], [np.nan, np.nan]])
    colors = np.uint8([RED, BLUE, GREEN])
    for ranges, on_top in (([3, 30, 1], RED), ([30, 3, 1], BLUE)):
        view = camera_view(image, 860, 860, pixels=pixels, range_m=np.float32(ranges), colors=colors)
        centre_of(view, on_top)
        assert set(map(tuple, view.reshape(-1, 3)[view.reshape(-1, 3).max(axis=1) > 250])) == {on_top}


def test_without_points_the_image_is_as_it_was():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(camera_view(image, 60, 40), image)


def test_a_box_is_drawn_at_its_place_even_at_the_image_border():
    image = np.full((100, 100, 3), 9, np.uint8)
    for box in ((20, 40, 60, 80), (-30, -5, 40, 50), (90, 90, 140, 130)):
        view = camera_view(image, 200, 200, boxes=(Box(box, "car 3  12.4 m", GREEN, 12.4),))
        assert (view != 9).any()
    view = camera_view(image, 200, 200, boxes=(Box((20, 40, 60, 80), "", GREEN, 1),))
    v, u = np.nonzero(view[:, :, 1] > 200)
    inside = (u >= 39) & (u <= 121)
    assert inside.all()
    assert v.max() in (160, 161)


def test_texts_of_boxes_do_not_cover_each_other():
    """Three objects in one place: each text is a bar of its colour, with all of its pixels."""
    image = np.zeros((200, 300, 3), np.uint8)
    one = camera_view(image, 900, 600, boxes=(Box((60, 60, 160, 120), "car  5.0 m  0.90", GREEN, 5.0),))
    bar = (one == GREEN).all(axis=2).sum() * 0.9
    same_place = tuple(
        Box((60 + i, 60, 160, 120 + i), f"car  {i}.0 m  0.90", color, i) for i, color in enumerate((RED, GREEN, BLUE))
    )
    view = camera_view(image, 900, 600, boxes=same_place)
    for color in (RED, GREEN, BLUE):
        assert (view == color).all(axis=2).sum() > bar * 0.75
    corner = Box((-20, -20, 5, 5), "person  0.50", GREEN, 1)
    shown = (camera_view(image, 900, 600, boxes=(corner,)) == GREEN).all(axis=2)
    assert shown[:40].sum() == shown.sum() > 0


def test_label_picture_shows_the_point_that_the_range_image_holds():
    rng = np.random.default_rng(3)
    H, W, N = 4, 6, 60
    pixel = rng.integers(-1, H * W, N).astype(np.int32)
    ranges = rng.uniform(1, 50, N).astype(np.float32)
    colors = rng.integers(0, 256, (N, 3), np.uint8)
    for keep in (np.argmin, np.argmax):
        image = np.full(H * W, -1, np.float32)
        expected = np.tile(np.uint8(PANEL), (H * W, 1))
        for p in range(H * W):
            here = np.flatnonzero(pixel == p)
            if len(here):
                chosen = here[keep(ranges[here])]
                image[p], expected[p] = ranges[chosen], colors[chosen]
        got = label_picture(image.reshape(H, W), pixel, ranges, colors)
        np.testing.assert_array_equal(got, expected.reshape(H, W, 3))


def test_range_picture_leaves_empty_pixels_dark():
    picture = range_picture(np.float32([[-1, 5], [60, -1]]))
    assert picture.shape == (2, 2, 3)
    assert tuple(picture[0, 0]) == tuple(picture[1, 1]) == PANEL
    assert picture[0, 1].max() > picture[1, 0].max()


def test_strip_grows_in_blocks_and_shrinks_by_averaging():
    picture = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 10
    grown = strip(picture, 8, 6)
    np.testing.assert_array_equal(grown, picture.repeat(3, axis=0).repeat(2, axis=1))
    np.testing.assert_allclose(strip(picture, 2, 2), picture.reshape(2, 2, 2, 3).mean(2), atol=1)


def test_forward_is_up_in_a_tall_picture_and_right_in_a_wide_one():
    points = np.float32([[0, 0, 0, 0], [15, 0, 0, 0], [0, 8, 0, 0]])
    for (width, height), forward, left in (((200, 400), (0, -1), (-1, 0)), ((400, 200), (1, 0), (0, -1))):
        places = []
        for shown in (1, 2):
            colors = np.zeros((3, 3), np.uint8)
            colors[shown] = RED
            places.append(np.array(centre_of(birds_eye(points, colors, width, height), RED)))
        origin = np.array([width / 2, height * 0.68] if height > width else [width * 0.40, height / 2])
        scale = 200 / 50  # pixels a metre: 25 m to either side
        np.testing.assert_allclose(places[0], origin + scale * 15 * np.array(forward), atol=1.5)
        np.testing.assert_allclose(places[1], origin + scale * 8 * np.array(left), atol=1.5)


def test_birds_eye_takes_empty_far_and_not_finite_points():
    colors = np.full((4, 3), 255, np.uint8)
    odd = np.float32([[np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [0, -np.inf, np.nan, 0], [1e6, 1e6, 0, 0]])
    empty = birds_eye(np.zeros((0, 4), np.float32), colors[:0], 120, 160)
    np.testing.assert_array_equal(birds_eye(odd, colors, 120, 160), empty)


def test_what_stands_is_drawn_over_the_ground():
    points = np.float32([[7, 5, 1.0, 0], [7, 5, -1.7, 0]])
    centre_of(birds_eye(points, np.uint8([RED, GREEN]), 400, 400), RED)


def test_a_footprint_surrounds_its_object():
    nothing = np.zeros((0, 4), np.float32)
    view = birds_eye(nothing, np.zeros((0, 3), np.uint8), 500, 500, footprints=(Footprint(10, 2, 14, 4, "", GREEN),))
    v, u = np.nonzero((view[:, :, 1] > 150) & (view[:, :, 0] < 100))
    scale = 10
    assert abs((u.min() + u.max()) / 2 - (250 - 3 * scale)) < 1.5
    assert abs((v.min() + v.max()) / 2 - (500 * 0.68 - 12 * scale)) < 1.5
    assert abs((v.max() - v.min()) - 4 * scale) < 2.5
