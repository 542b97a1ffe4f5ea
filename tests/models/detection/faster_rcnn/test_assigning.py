"""Assignment and sampling of both stages against loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.detection.faster_rcnn.assigning import assign, sample
from models.detection.matching import IGNORED, NEGATIVE, Objects


def iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0


def some_boxes(seed: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 12, (count, 2), generator=generator)
    return torch.cat([corner, corner + torch.randint(1, 12, (count, 2), generator=generator)], 1).float()


@given(seed=st.integers(0, 10**6), count=st.integers(1, 20), objects=st.integers(0, 4), best_too=st.booleans())
def test_assignment(seed: int, count: int, objects: int, best_too: bool) -> None:
    boxes, truth = some_boxes(seed, count), some_boxes(seed + 1, objects)
    found = assign(
        boxes,
        Objects(truth, torch.zeros(objects, dtype=torch.long)),
        positive_iou=0.7,
        negative_iou=0.3,
        best_too=best_too,
    ).tolist()
    table = [[iou(box, other) for other in truth.tolist()] for box in boxes.tolist()]
    for index, row in enumerate(table):
        best = max(row, default=0.0)
        expected = row.index(best) if best >= 0.7 else NEGATIVE if best < 0.3 else IGNORED
        for k in reversed(range(objects)):  # the first object whose best it is
            if best_too and 0 < row[k] == pytest.approx(max(other[k] for other in table), abs=1e-7):
                expected = k
        assert found[index] == expected


def test_no_object_makes_all_negative() -> None:
    empty = Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert assign(some_boxes(0, 5), empty, positive_iou=0.5, negative_iou=0.5).tolist() == [NEGATIVE] * 5


@given(
    assigned=st.lists(st.sampled_from([NEGATIVE, IGNORED, 0, 1]), max_size=30),
    count=st.integers(1, 16),
    share=st.sampled_from([0.25, 0.5]),
)
def test_sampling(assigned: list[int], count: int, share: float) -> None:
    positives, negatives = sample(torch.tensor(assigned, dtype=torch.long), count, share)
    assert all(assigned[i] >= 0 for i in positives.tolist())
    assert all(assigned[i] == NEGATIVE for i in negatives.tolist())
    for drawn in (positives, negatives):
        assert len(set(drawn.tolist())) == len(drawn)
    assert len(positives) == min(int(count * share), sum(a >= 0 for a in assigned))
    assert len(negatives) == min(count - len(positives), assigned.count(NEGATIVE))
