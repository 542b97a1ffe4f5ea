"""Which predictions belong to which annotated video."""

import pytest

from errors import UserError
from evaluation.videos import match_names


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
    with pytest.raises(UserError, match=r"no video in common \(they begin with 'a' and 'b'\)"):
        match_names({"a": 1}, {"b"}, {"b"})
