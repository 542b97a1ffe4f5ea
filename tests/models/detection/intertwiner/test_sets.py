"""Large and small regions against loops over regions and levels."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from models.detection.faster_rcnn.regions import level_of
from models.detection.intertwiner.sets import large_sets, small_set

STRIDES = [4, 8, 16, 32]

sides = st.lists(st.tuples(st.floats(1, 900), st.floats(1, 900)), max_size=12)


def boxes_of(sizes: list[tuple[float, float]]) -> torch.Tensor:
    return torch.tensor([[0.0, 0.0, width, height] for width, height in sizes]).reshape(-1, 4)


@given(sizes=sides)
def test_large_ones_of_a_level_are_those_of_the_levels_above(sizes: list[tuple[float, float]]) -> None:
    boxes = boxes_of(sizes)
    level = level_of(boxes)
    found = {(fine, coarse): which.tolist() for fine, coarse, which in large_sets(level, boxes, "level")}
    assert sorted(found) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for fine in range(4):
        for region, own in enumerate(level.tolist()):
            is_large = any(found[fine, coarse][region] for coarse in range(fine + 1, 4))
            assert is_large == (own > fine)
    assert small_set(level, boxes, "level", last_level=True).all()
    assert small_set(level, boxes, "level", last_level=False).tolist() == [own < 3 for own in level.tolist()]


@given(sizes=sides)
def test_by_size_a_region_is_small_below_14_by_14_cells(sizes: list[tuple[float, float]]) -> None:
    boxes = boxes_of(sizes)
    level = level_of(boxes)
    found = large_sets(level, boxes, "size")
    assert [(fine, coarse) for fine, coarse, _ in found] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    small = small_set(level, boxes, "size", last_level=True).tolist()
    for region, own in enumerate(level.tolist()):
        x1, y1, x2, y2 = boxes[region].double().tolist()
        cells = (x2 - x1) * (y2 - y1) / STRIDES[own] ** 2
        assert small[region] == (cells < 14 * 14)
        assert [bool(which[region]) for _, _, which in found] == [
            fine == own and not small[region] for fine in range(4)
        ]
