"""Arithmetic on boxes, against exact rational arithmetic."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.detection.boxes import MAX_LOG_SCALE, clip, decode, encode, giou, iou_matrix

_COORDINATE = st.integers(-20, 20).map(lambda quarter: quarter / 4)


@st.composite
def _box(draw, smallest=0.0):
    """A box on a grid of quarters of a pixel, which floats hold exactly."""
    x1, y1 = draw(_COORDINATE), draw(_COORDINATE)
    width, height = (smallest + draw(st.integers(0, 30)) / 4 for _ in range(2))
    return (x1, y1, x1 + width, y1 + height)


_BOXES = st.lists(_box(), min_size=1, max_size=4)


def _area(x1, y1, x2, y2):
    return max(Fraction(x2) - Fraction(x1), Fraction(0)) * max(Fraction(y2) - Fraction(y1), Fraction(0))


def _overlap(a, b):
    """Exact intersection and union."""
    shared = _area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return shared, _area(*a) + _area(*b) - shared


def _exact_iou(a, b):
    shared, union = _overlap(a, b)
    return float(shared / union) if union else 0.0


def _exact_giou(a, b):
    _, union = _overlap(a, b)
    hull = _area(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    return _exact_iou(a, b) - (float((hull - union) / hull) if hull else 0.0)


@given(_BOXES, _BOXES)
def test_iou_is_exact_for_boxes_with_and_without_area(a, b):
    expected = torch.tensor([[_exact_iou(one, other) for other in b] for one in a])
    torch.testing.assert_close(iou_matrix(torch.tensor(a), torch.tensor(b)), expected)


@given(_box(), _box())
def test_giou_is_exact_and_its_gradients_are_finite(a, b):
    boxes = torch.tensor([a], requires_grad=True)
    value = giou(boxes, torch.tensor([b]))
    torch.testing.assert_close(value, torch.tensor([_exact_giou(a, b)]))
    value.sum().backward()
    assert boxes.grad.isfinite().all()


def test_overlap_with_no_boxes_is_an_empty_matrix():
    assert iou_matrix(torch.zeros(3, 4), torch.zeros(0, 4)).shape == (3, 0)
    assert giou(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)


@given(_box(smallest=0.5), _box(smallest=0.5))
def test_decoding_undoes_encoding(anchor, box):
    anchors, boxes = torch.tensor([anchor]), torch.tensor([box])
    torch.testing.assert_close(decode(anchors, encode(anchors, boxes)), boxes, atol=1e-4, rtol=0)


def test_an_encoded_box_by_hand():
    # An anchor of 10 x 20 around (5, 10); the box is 10 x 10 around (6, 10).
    deltas = encode(torch.tensor([[0.0, 0, 10, 20]]), torch.tensor([[1.0, 5, 11, 15]]), (0.1, 0.1, 0.2, 0.2))
    expected = torch.tensor([[0.1 / 0.1, 0, 0, torch.tensor(0.5).log().item() / 0.2]])
    torch.testing.assert_close(deltas, expected)


def test_a_box_without_area_is_encoded_finitely_and_a_wild_delta_decoded_so():
    anchor = torch.tensor([[0.0, 0, 16, 16]])
    assert encode(anchor, torch.tensor([[3.0, 3, 3, 3]])).isfinite().all()
    wild = decode(anchor, torch.full((2, 1, 4), 1e4))  # two pictures
    assert wild.shape == (2, 1, 4)
    torch.testing.assert_close(wild[0, 0, 2] - wild[0, 0, 0], 16 * torch.tensor(MAX_LOG_SCALE).exp(), atol=0.1, rtol=0)


def test_clipping_keeps_the_inside():
    boxes = torch.tensor([[-5.0, -1, 700, 20], [650, 10, 660, 30], [1, 2, 3, 4]])
    expected = torch.tensor([[0.0, 0, 640, 20], [640, 10, 640, 30], [1, 2, 3, 4]])
    assert torch.equal(clip(boxes, 48, 640), expected)


@pytest.mark.parametrize("variances", [(1.0, 1.0, 1.0, 1.0), (0.1, 0.1, 0.2, 0.2)])
def test_variances_divide_the_deltas(variances):
    anchor, box = torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([[2.0, 1, 9, 7]])
    plain = encode(anchor, box, (1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(encode(anchor, box, variances) * torch.tensor(variances), plain)
