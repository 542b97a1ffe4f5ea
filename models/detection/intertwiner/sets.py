"""Which regions teach, the large ones of a level, and which learn, the small ones (the paper's Sec. 6.2)."""

from __future__ import annotations

from torch import Tensor

from models.detection.boxes import area
from models.detection.faster_rcnn.regions import ROI_SIZE, STRIDES

SPLITS = ("level", "size")
LAST = len(STRIDES) - 1
"""The coarsest level that regions are looked at on."""


def large_sets(level: Tensor, boxes: Tensor, split: str) -> list[tuple[int, int, Tensor]]:
    """The large regions of each level l.

    Args:
        level: [R] int64, where each region is looked at.
        boxes: [R, 4] px.
        split: ``level``: all regions of the levels above (Eq. 5). ``size``: those of l itself with at least 14×14 cells
            (Table 2a).

    Returns:
        ``(l, m, which)``: ``which`` [R] bool are regions of level m that are large for l.
    """
    if split == "size":
        tiny = _is_tiny(level, boxes)
        return [(index, index, (level == index) & ~tiny) for index in range(LAST + 1)]
    return [(fine, coarse, level == coarse) for fine in range(LAST) for coarse in range(fine + 1, LAST + 1)]


def small_set(level: Tensor, boxes: Tensor, split: str, *, last_level: bool) -> Tensor:
    """The regions that are small on their own level, [R] bool: all of them, or with ``size`` those below 14×14 cells.

    Args:
        last_level: whether the last, which has no large ones by ``level``, has small ones.
    """
    takes_part = (level < LAST) | last_level
    return takes_part & _is_tiny(level, boxes) if split == "size" else takes_part


def _is_tiny(level: Tensor, boxes: Tensor) -> Tensor:
    side_px = ROI_SIZE * level.new_tensor(STRIDES)[level]
    return area(boxes) < side_px**2
