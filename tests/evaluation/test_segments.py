"""Temporal IoU against loops, and which predictions belong to which video."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from evaluation.segments import match_names, temporal_iou
from tests.support.slow_temporal_scores import tiou

TIMES = st.tuples(st.floats(-5, 50), st.floats(-5, 50)).map(sorted)


@given(st.lists(TIMES, max_size=5), st.lists(TIMES, max_size=5))
def test_temporal_iou(a: list[list[float]], b: list[list[float]]) -> None:
    found = temporal_iou(np.array(a).reshape(-1, 2), np.array(b).reshape(-1, 2))
    assert found.shape == (len(a), len(b))
    assert found.tolist() == [[tiou(x, y) for y in b] for x in a]


def test_names_that_do_not_go_together() -> None:
    by_name, names = match_names({"a": 1, "c": 3, "x": 4}, {"a", "b"}, {"a", "b", "c"})
    assert by_name == {"a": 1, "c": 3, "x": 4}
    assert (names.renamed, names.without_predictions, names.not_annotated) == (None, ["b"], ["c", "x"])


@pytest.mark.parametrize(("predicted", "known", "how"), [("a", "v_a", "added"), ("v_a", "a", "removed")])
def test_the_prefix_of_bmn(predicted: str, known: str, how: str) -> None:
    by_name, names = match_names({predicted: 1}, {known}, {known, "other"})
    assert by_name == {known: 1}
    assert (names.renamed, names.without_predictions, names.not_annotated) == (how, [], [])


def test_no_video_in_common() -> None:
    with pytest.raises(UserError, match=r"'a'.*'b'.*no video in common"):
        match_names({"a": 1}, {"b"}, {"b"})
