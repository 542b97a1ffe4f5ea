"""The places a one-stage detector predicts at: anchor boxes, or points.

Level l has stride s_l and ⌈H/s_l⌉ × ⌈W/s_l⌉ cells; cell (i, j) has its point at x = (j + ½)·s_l, y = (i + ½)·s_l.
Priors are ordered level by level, finest first, row by row, and within a cell by size and then by ratio: exactly as the
heads flatten their feature maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

STRIDES = (8, 16, 32, 64, 128)
"""In pixels, of the levels P3 to P7."""


class Anchors(NamedTuple):
    """The shapes of the anchors of one cell. The defaults are RetinaNet's nine (Lin et al., ICCV 2017, Sec. 4).

    Attributes:
        scale: side of the smallest square anchor, in strides.
        octaves: sizes per cell: ``scale``·2^(k/octaves) strides for k = 0 … octaves - 1.
        ratios: height / width of the shapes of each size, whose area is that of the square.
    """

    scale: float = 4.0
    octaves: int = 3
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    @property
    def per_cell(self) -> int:
        """How many anchors a cell has."""
        return self.octaves * len(self.ratios)

    def shapes(self) -> Tensor:
        """[per_cell, 2]: width and height in strides."""
        sides = [self.scale * 2 ** (k / self.octaves) for k in range(self.octaves)]
        return torch.tensor([(side * ratio**-0.5, side * ratio**0.5) for side in sides for ratio in self.ratios])


class Priors(NamedTuple):
    """All A places of one input size, on one device.

    Attributes:
        boxes: [A, 4] float32, px: the anchor; of a point detector the square of side 4·stride around the point.
        points: [A, 2] float32, px: x and y of the cell's centre.
        strides: [A] float32, px.
        levels: how many priors each level has, finest first.
    """

    boxes: Tensor
    points: Tensor
    strides: Tensor
    levels: tuple[int, ...]


POINT_ANCHORS = Anchors(octaves=1, ratios=(1.0,))
"""The one square of a point detector's cell."""


def make_priors(
    height: int,
    width: int,
    anchors: Anchors = POINT_ANCHORS,
    strides: Sequence[int] = STRIDES,
    device: torch.device | None = None,
) -> Priors:
    """The priors of an input of this size.

    Args:
        height: of the input, px.
        width: of the input, px.
        anchors: shapes in every cell; by default one point.
        strides: of the levels, px, finest first.
        device: where the tensors shall be.
    """
    shapes = anchors.shapes().to(device)
    levels = [_one_level(height, width, shapes, stride) for stride in strides]
    boxes, points, strides_px = (torch.cat(parts) for parts in zip(*levels, strict=True))
    return Priors(boxes, points, strides_px, tuple(len(level_boxes) for level_boxes, _, _ in levels))


def _one_level(height: int, width: int, shapes: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, points and strides of one level."""
    y = (torch.arange(-(-height // stride), device=shapes.device) + 0.5) * stride
    x = (torch.arange(-(-width // stride), device=shapes.device) + 0.5) * stride
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    centres = torch.stack([columns, rows], -1).reshape(-1, 1, 2)
    half = 0.5 * stride * shapes
    boxes = torch.cat([centres - half, centres + half], -1).reshape(-1, 4)
    points = centres.expand(-1, len(shapes), 2).reshape(-1, 2)
    return boxes, points, points.new_full((len(points),), stride)
