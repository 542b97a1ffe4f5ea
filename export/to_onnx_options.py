"""Choices of an ONNX graph, for those who need not import torch to make them."""

from __future__ import annotations

from typing import NamedTuple

OPSETS = range(18, 24)
"""What torch's exporter writes and ONNX Runtime, OpenVINO and TensorRT read."""
DEFAULT_OPSET = 20
BF16_OPSET = 22
"""The first with bfloat16 operators: older graphs are brought to it, :mod:`export.precision.half`."""


class Batch(NamedTuple):
    """Smallest, usual and largest batch. All the same: the graph has that size and no other."""

    least: int = 1
    usual: int = 1
    most: int = 1

    @property
    def is_fixed(self) -> bool:
        return self.least == self.most

    def __str__(self) -> str:
        return str(self.least) if self.is_fixed else f"{self.least}:{self.usual}:{self.most}"


ONE = Batch()
