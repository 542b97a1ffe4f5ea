"""Anchors and points, against loops."""

import math

import pytest
import torch

from models.detection.priors import Anchors, make_priors


def _slow(height, width, strides, anchors):
    """Box, point and stride of every prior, written from the definition."""
    priors, levels = [], []
    for stride in strides:
        before = len(priors)
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                x, y = stride * (column + 0.5), stride * (row + 0.5)
                for octave in range(anchors.octaves):
                    side = anchors.scale * stride * 2 ** (octave / anchors.octaves)
                    for ratio in anchors.ratios:
                        w, h = side / math.sqrt(ratio), side * math.sqrt(ratio)
                        priors.append(((x - w / 2, y - h / 2, x + w / 2, y + h / 2), (x, y), stride))
        levels.append(len(priors) - before)
    return priors, tuple(levels)


@pytest.mark.parametrize(
    ("height", "width", "strides", "anchors"),
    [
        (96, 160, (8, 16, 32, 64, 128), Anchors()),
        (101, 67, (8, 16, 32), Anchors(scale=3.0, octaves=2, ratios=(1.0, 2.5))),
        (32, 32, (64,), Anchors(octaves=1, ratios=(1.0,))),
    ],
)
def test_priors_are_those_of_loops(height, width, strides, anchors):
    expected, levels = _slow(height, width, strides, anchors)
    priors = make_priors(height, width, anchors, strides)
    assert priors.levels == levels
    assert priors.boxes.dtype == priors.points.dtype == priors.strides.dtype == torch.float32
    torch.testing.assert_close(priors.boxes, torch.tensor([box for box, _, _ in expected]))
    torch.testing.assert_close(priors.points, torch.tensor([point for _, point, _ in expected]))
    assert priors.strides.tolist() == [stride for _, _, stride in expected]


def test_a_point_prior_is_a_square_of_four_strides_around_its_point():
    priors = make_priors(32, 64)
    sides = priors.boxes[:, 2:] - priors.boxes[:, :2]
    assert torch.equal(sides, 4 * priors.strides[:, None].expand(-1, 2))
    assert torch.equal((priors.boxes[:, :2] + priors.boxes[:, 2:]) / 2, priors.points)
    assert priors.levels == (32, 8, 2, 1, 1)


def test_retinanets_nine_anchors_span_32_to_813_pixels_at_its_five_levels():
    # Lin et al. 2017, Sec. 4: "across levels they cover the scale range 32 - 813 pixels".
    priors = make_priors(640, 640, Anchors())
    sizes = (priors.boxes[:, 2:] - priors.boxes[:, :2]).prod(-1).sqrt()
    assert round(sizes.min().item()) == 32
    assert math.floor(sizes.max().item()) == 812  # 512·2^(2/3) = 812.7
    assert Anchors().per_cell == 9
