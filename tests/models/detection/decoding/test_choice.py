"""Which decoding, with which numbers, and which output of the graph is which: what does not fit is one line."""

import pytest

from errors import UserError
from models.detection.decoding import DECODINGS, Shape, make_decoding, match_outputs


def matched(
    name: str, given: dict[str, Shape], chosen: dict[str, str] | None = None, **numbers: object
) -> dict[str, str]:
    return match_outputs(name, make_decoding(name, 64, 64, 3, numbers), given, chosen or {})


def test_outputs_are_told_by_name() -> None:
    assert matched("boxes-scores", {"scores": (1, 9, 3), "boxes": (1, 9, 4)}) == {"scores": "scores", "boxes": "boxes"}


def test_outputs_are_told_by_shape_where_only_one_way_fits() -> None:
    given: dict[str, Shape] = {"dets": (1, "n", 4), "classes": (1, None), "p": (1, 84, 8), "kept": (1, 84, 4)}
    assert matched("yolox", given) == {"output": "p"}
    assert matched("boxes-scores", {"x": (84, 4), "y": (84, 3)}) == {"boxes": "x", "scores": "y"}
    with pytest.raises(UserError, match="in several ways: say which is which"):
        matched("boxes-scores-labels", {"a": (5, 4), "b": (5,), "c": (5,)})


def test_outputs_can_be_chosen() -> None:
    given: dict[str, Shape] = {"a": (5, 4), "b": (5,), "c": (5,)}
    found = matched("boxes-scores-labels", given, {"labels": "b"})
    assert found == {"boxes": "a", "scores": "c", "labels": "b"}
    with pytest.raises(UserError, match="output 'lables' is not known; did you mean 'labels'"):
        matched("boxes-scores-labels", given, {"lables": "b"})
    with pytest.raises(UserError, match="the graph's output 'd' is not known"):
        matched("boxes-scores-labels", given, {"labels": "d"})


def test_outputs_that_do_not_fit_are_shown_beside_what_is_wanted() -> None:
    with pytest.raises(UserError, match=r"yolox wants output \[84, 8\], but the graph gives output \[1, 85, 8\]"):
        matched("yolox", {"output": (1, 85, 8)})
    with pytest.raises(
        UserError, match=r"boxes \[A, 4\], scores \[A, 3\], but the graph gives x \[84, 4\], y \[83, 3\]"
    ):
        matched("boxes-scores", {"x": (84, 4), "y": (83, 3)})
    with pytest.raises(UserError, match=r"but the graph gives boxes \[2, 84, 4\]"):
        matched("boxes-scores", {"boxes": (2, 84, 4)})


def test_a_decoding_or_number_that_is_not_known() -> None:
    assert set(DECODINGS) >= {"retinanet", "ssd", "fcos", "yolox", "nanodet", "detr", "boxes-scores-labels"}
    with pytest.raises(UserError, match="decoding 'yolo' is not known; did you mean 'yolox'"):
        make_decoding("yolo", 64, 64, 3, {})
    with pytest.raises(UserError, match="number 'stride' is not known; did you mean 'strides'"):
        make_decoding("yolox", 64, 64, 3, {"stride": [8]})
    with pytest.raises(UserError, match="boxes-scores has no numbers; leave out 'strides'"):
        make_decoding("boxes-scores", 64, 64, 3, {"strides": [8]})


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("yolox", {"strides": "8"}),
        ("yolox", {"strides": [0]}),
        ("yolox", {"strides": []}),
        ("retinanet", {"variances": [0.1]}),
        ("retinanet", {"octaves": "three"}),
        ("ssd", {"activation": "tanh"}),
        ("detr", {"activation": "tanh"}),
        ("nanodet", {"reg_max": None}),
        ("boxes-scores-labels", {"order": "xywh"}),
    ],
)
def test_a_number_that_makes_no_sense(name: str, numbers: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"decoding {name}: its numbers cannot be used"):
        make_decoding(name, 64, 64, 3, numbers)
