"""The figures as people read them: ratios, fraction of the machine's rate, small kinds together."""

import json

import pytest

pytest.importorskip("torch")

from profiling import tables
from profiling.interleaved import Times
from profiling.layer_times import LayerKind
from profiling.memory import Memory
from profiling.segmentation import Comparison

FOUND = Comparison(
    weights="random",
    flops=100_000_000_000,
    times={"naive, PyTorch fp32": Times((900.0, 1000.0, 1300.0)), "ours, OpenVINO bf16": Times((101.0, 100.0, 99.0))},
    agreement={"naive, PyTorch fp32": 1.0, "ours, OpenVINO bf16": 0.9971},
    product_flops_per_s={"slow": 0.5e12, "fast": 2e12},
    layer_kinds=[
        LayerKind("convolution", 9, 80.0, 80_000_000_000),
        LayerKind("a", 1, 0.5, 0),
        LayerKind("b", 2, 0.3, 0),
    ],
)


def test_comparison():
    text = tables.comparison("case", FOUND)
    assert "| naive, PyTorch fp32 | 1000 | 900–1300 | 1.0 | 0.10 | 100.00 % |" in text
    assert "| ours, OpenVINO bf16 | 100 | 99–101 | 10.0 | 1.00 | 99.71 % |" in text
    assert "1.00 TFLOP/s, **0.50** of the machine's own 2.00 TFLOP/s (fast," in text
    assert "| convolution | 9 | 80.0 | 99.0 % | 1.00 | 0.50 |" in text
    assert "| 2 more kinds | 3 | 0.8 | 1.0 % |  |  |" in text


def test_comparison_where_the_cpu_has_no_bf16():
    found = FOUND._replace(product_flops_per_s={}, layer_kinds=[])
    text = tables.comparison("case", found)
    assert "machine's own" not in text
    assert "| naive, PyTorch fp32 | 1000 |" in text


def test_memory():
    text = tables.memory("case", {"openvino bf16": Memory(50.2, {10: 400.0, 100: 401.25}, 612.0)})
    assert "| MiB | before opening | scan 10 | scan 100 | peak | growth, scan 10 to 100 |" in text
    assert "| openvino bf16 | 50 | 400 | 401 | 612 | +1.2 |" in text


def test_json_keeps_every_round():
    loaded = json.loads(json.dumps(tables.as_json(FOUND)))
    assert loaded["times"]["naive, PyTorch fp32"]["ms"] == [900.0, 1000.0, 1300.0]
    assert loaded["layer_kinds"][0]["kind"] == "convolution"
