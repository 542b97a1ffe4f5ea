"""The time line: bars where they belong, apart from each other, the best on top."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewing.camera_dashboard import camera_dashboard, layout
from viewing.style import PANEL, TEXT
from viewing.timeline import ACTION, Stretch, in_rows, timeline

times = st.integers(0, 20).map(float)
some = st.lists(
    st.builds(
        lambda a, d, score, final: Stretch(a, a + d + 1, score, final), times, times, st.floats(0, 1), st.booleans()
    ),
    max_size=12,
)


@given(some, st.integers(1, 5))
def test_bars_in_a_row_do_not_touch_and_the_best_have_a_place(stretches, rows):
    placed, left_out = in_rows(stretches, rows)
    assert len(placed) + left_out == len(stretches)
    for i, (a, row) in enumerate(placed):
        assert 0 <= row < rows
        for b, other in placed[:i]:
            assert b.score >= a.score
            assert row != other or a.end_s <= b.start_s or b.end_s <= a.start_s
    if stretches:
        assert placed[0][1] == 0


def test_a_final_bar_lies_where_its_times_are():
    picture = timeline((Stretch(4.0, 7.0, 1.0, True),), 10.0, 1000, 120, span_s=10.0, unit=10.0)
    now_x = next(x for x in range(999, 0, -1) if tuple(picture[5, x]) == TEXT)
    filled = np.flatnonzero((picture[4] == ACTION).all(axis=1))
    assert filled.min() == pytest.approx(now_x * 0.4, abs=2)
    assert filled.max() == pytest.approx(now_x * 0.7, abs=2)


def test_what_may_change_looks_different_and_what_is_over_is_gone():
    def row(final, now_s=10.0):
        return timeline((Stretch(4.0, 7.0, 1.0, final),), now_s, 1000, 120, span_s=10.0, unit=10.0)[4:18, 500:600]

    assert (row(final=True) == ACTION).all(axis=2).mean() > 0.95
    assert 0 < (row(final=False) == ACTION).all(axis=2).mean() < 0.3
    assert (row(final=True, now_s=18.0) == PANEL).all(axis=2).mean() > 0.9


@pytest.mark.parametrize(("width", "aspect"), [(640, 16 / 9), (641, 4 / 3), (1280, 9 / 16), (1000, 4.0)])
def test_any_camera_has_its_place(width, aspect):
    image = np.full((90, round(90 * aspect), 3), 128, np.uint8)
    plan = layout(width, image.shape[1] / image.shape[0])
    assert abs(plan.camera[2] / plan.camera[3] / aspect - 1) < 0.03
    picture = camera_dashboard(image, plan, (Stretch(0.0, 2.0, 0.5, False),), 3.0, span_s=90.0, status="000001")
    assert picture.shape == (plan.height, plan.width, 3)
    assert plan.width % 2 == plan.height % 2 == 0
    left, top, w, h = plan.camera
    assert (picture[top : top + h, left : left + w] == 128).all()
