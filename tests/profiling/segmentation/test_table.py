"""The figures as people read them: ratios to naive PyTorch, and what share of the labels is the same."""

import pytest

pytest.importorskip("torch")

from profiling.interleaved import Times
from profiling.segmentation.__main__ import Comparison, _table

FOUND = Comparison(
    weights="random",
    flops=100_000_000_000,
    times={"naive, PyTorch fp32": Times((900.0, 1000.0, 1300.0)), "ours, OpenVINO bf16": Times((101.0, 100.0, 99.0))},
    agreement={"naive, PyTorch fp32": 1.0, "ours, OpenVINO bf16": 0.9971},
)


def test_a_row_for_each_version():
    text = _table("case", FOUND)
    assert "Weights: random. 100.0 GFLOP a scan. Median of 3 rounds." in text
    assert "| naive, PyTorch fp32 | 1000 | 900–1300 | 1.0 | 0.10 | 100.00 % |" in text
    assert "| ours, OpenVINO bf16 | 100 | 99–101 | 10.0 | 1.00 | 99.71 % |" in text
