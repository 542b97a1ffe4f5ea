"""Every lowered graph is one that TensorRT-RTX builds an engine from, which needs no GPU."""

from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed: pip install 'rangecast[rtx]'")

from export.precision.lower import Precision, lower
from export.tensorrt.api import load_api
from export.tensorrt.build import build_engine
from tests.export.precision.nets import normal, segmenter


@pytest.mark.parametrize("precisions", [["fp16"], ["bf16"], ["int8"], ["int8", "fp16"]], ids=" then ".join)
def test_a_lowered_graph_builds(precisions: list[Precision], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lowered = segmenter(rng)
    for precision in precisions:
        lowered = lower(lowered, precision, calibration=[{"image": normal(rng, 1, 3, 8, 16)}])
    graph = tmp_path / "model.onnx"
    onnx.save(lowered, graph)
    engine = tmp_path / "model.engine"
    build_engine(
        graph, engine, api=load_api("tensorrt-rtx"), log=tmp_path / "log", compute_capabilities=["SM86", "SM120"]
    )
    assert engine.stat().st_size > 0
