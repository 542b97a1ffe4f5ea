"""Floating-point operations of SqueezeSegV3, counted from the shapes of its layers."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from profiling.segmentation.naive import NaiveSqueezeSegV3


def squeezesegv3_flops(layers: int, height: int, width: int) -> int:
    """One pass of batch 1 up to the main head's logits: a multiplication and an addition for each weight, per pixel.

    Convolutions alone; zeros at the border are counted as if they were multiplied. Sigmoids, batch norm and sums are
    not counted (together less than 1 %). The exact rewrites for inference have the same convolutions.
    """
    with torch.device("meta"), torch.no_grad():
        network = NaiveSqueezeSegV3(layers).eval()
        with FlopCounterMode(display=False) as counter:
            network.logits(torch.empty(1, 5, height, width))
    return counter.get_total_flops()
